"""The form of thresholds.yaml: what may be written, and what is said of anything else.

The models describe one layer (a file, a profile, a ``--set`` option), in which everything may be left to another
layer; what the merged layers must add up to is the business of `load`. They also give the JSON Schema for editors.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from trainhealth.errors import ThresholdsError
from trainhealth.limits import parse_limit
from trainhealth.thresholds.document import Node, found
from trainhealth.thresholds.models import Missing
from trainhealth.thresholds.origin import did_you_mean

STATISTICS = ("median", "mean", "min", "max", "last", "first", "std", "count", "change", "slope")
"""What a custom criterion may compute, besides the percentiles p01 to p99."""

_PERCENTILE = r"p(?:0[1-9]|[1-9][0-9])"
_CRITERION_ID = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"
_LIMIT = r"^(\s*[<>]\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*[%x]?\s*|[a-z][a-z_]*)(?![\s\S])"

T = TypeVar("T")


class _OneOrMany:
    """Accepts ``x`` for ``[x]``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


def _listed(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


class _OrText:
    """Accepts the text ``x`` for ``{<name>: x}``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._spelt_out, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "pattern": r"\S"}, handler(schema)]}

    def _spelt_out(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return value
        if isinstance(value, str):
            return {self.name: value}
        raise ValueError(f"must be text, or a mapping with '{self.name}', found {found(value)}")


def _limit(value: Any) -> Any:
    parse_limit(value, origin="")
    return value


def _criterion_id(key: str) -> str:
    if not re.fullmatch(_CRITERION_ID, key):
        raise ValueError(f"'{key}' is not a criterion id; it must be an area and a name, such as stability.kl_level")
    return key


def _statistic(value: str) -> str:
    if value not in STATISTICS and not re.fullmatch(_PERCENTILE, value):
        known = ", ".join(STATISTICS)
        raise ValueError(
            f"there is no statistic '{value}'{did_you_mean(value, STATISTICS)} (known: {known}, p01 to p99)"
        )
    return value


def _factor(value: float) -> float:
    if value == 0:
        raise ValueError("must not be 0, which would turn every value into 0")
    return value


def _day(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"must be a day that exists, found {value}") from None
    return value


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise ValueError(f"must be text, a number, true or false, found {found(value)}")
    return value


Text = Annotated[str, Field(pattern=r"\S")]
OneOrMany = Annotated[tuple[T, ...], _OneOrMany()]
AtLeastOne = Annotated[tuple[T, ...], Field(min_length=1), _OneOrMany()]
LimitText = Annotated[str, BeforeValidator(_limit), Field(json_schema_extra={"title": "limit", "pattern": _LIMIT})]
Factor = Annotated[float, AfterValidator(_factor), Field(json_schema_extra={"not": {"const": 0}})]
Day = Annotated[date, BeforeValidator(_day)]
Steps = Annotated[int, Field(ge=1)]
ConfigValue = Annotated[
    str | int | float | bool, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
Statistic = Annotated[
    str,
    AfterValidator(_statistic),
    Field(
        json_schema_extra={
            "title": f"{', '.join(STATISTICS)}, p01 to p99",
            "pattern": rf"^({'|'.join(STATISTICS)}|{_PERCENTILE})$",
        }
    ),
]


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_only(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and cls.model_config["extra"] == "forbid":
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in value:
                if key not in known:
                    raise PydanticCustomError("unknown_key", "", {"key": key, "known": known})
        return value


class AliasForm(_Form):
    """A metric as a run logs it: a key, the sum of several, or what one lacks to 1. Text is short for `{key: text}`."""

    model_config = ConfigDict(title="Key of a run")

    key: Text | None = None
    """A key of the run; `*` stands for any text. One of `key`, `sum_of` and `one_minus` is needed."""
    sum_of: Annotated[tuple[Text, ...], Field(min_length=2)] | None = None
    """Keys of the run that are added up, in the rows that hold all of them; without `*`."""
    one_minus: Text | None = None
    """A key of the run whose value is taken from 1."""
    scale: Factor = 1.0
    """What the value is multiplied with, such as 0.01 for a percentage; not 0. Default: 1."""

    @model_validator(mode="after")
    def _one_of_three(self) -> AliasForm:
        if sum(given is not None for given in (self.key, self.sum_of, self.one_minus)) != 1:
            raise ValueError("must have one of 'key', 'sum_of' and 'one_minus'")
        if any("*" in key for key in self.sum_of or ()):
            raise ValueError("must name the keys of 'sum_of' in full, without '*'")
        return self


class FieldAliasForm(_Form):
    """A field of an event as the pipeline logs it. Text is short for `{field: text}`."""

    model_config = ConfigDict(title="Field of an event")

    field: Text
    """Name of the field; dots lead into nested ones, and `{power}` stands for each of `events.powers`."""
    scale: Factor = 1.0
    """What the value is multiplied with, such as 0.001 for milliseconds; not 0. Default: 1."""


OrAlias = Annotated[AliasForm, _OrText("key")]
OrFieldAlias = Annotated[FieldAliasForm, _OrText("field")]


class MetricForm(_Form):
    """A metric under its canonical name, which checks, custom criteria and trainers use."""

    model_config = ConfigDict(title="Metric")

    any_of: AtLeastOne[OrAlias] | None = None
    """The metric is the first of these that the run logs, stray rows aside. Needed."""
    default_value: float | None = None
    """What the logger writes where nothing was measured: a run that holds only this value never measured the metric."""
    unless: dict[str, ConfigValue] | None = None
    """Names under `config` and values: the metric is not applicable where all that the run's config says under one of
    the names is that value."""
    unit: Text | None = None
    """Shown behind the values. Default: none."""


class TrainerForm(_Form):
    """What is particular to the runs of one trainer."""

    model_config = ConfigDict(title="Trainer")

    recognised_by: AtLeastOne[Text] | None = None
    """Keys, or patterns of keys, that few other trainers log; two of them in a run recognise this one."""
    metrics: dict[Text, AtLeastOne[OrAlias]] | None = None
    """Names under `metrics`, and what only this trainer calls them: looked for after the names there."""
    requires: OneOrMany[Text] | None = None
    """Criteria, or patterns of criteria, that block when inconclusive on a run of this trainer."""
    absent: dict[Text, Text] | None = None
    """Names under `metrics`, and why a run of this trainer need not log them: not applicable where they are absent."""
    measured: OneOrMany[Text] | None = None
    """Names under `metrics` whose `default_value` is a measurement with this trainer."""
    several_rows: bool | None = None
    """Whether one training step is logged in several rows. Default: false."""
    episodic: bool | None = None
    """Whether rewards are logged as episodes end, and not with every update: then none is due. Default: false."""
    fallback: bool | None = None
    """Whether it stands for a kind of trainers, and is taken only where none of the others fits. Default: false."""


class FiniteForm(_Form):
    """Metrics besides the named ones in which a NaN or infinite value counts, as patterns of keys in lower case."""

    model_config = ConfigDict(title="Finite")

    keys: OneOrMany[Text] | None = None
    """Keys that are about training. Default: none."""
    except_: Annotated[OneOrMany[Text] | None, Field(alias="except")] = None
    """Keys that are NaN at times in sound runs, also where they are named under `metrics`. Default: none."""


class AgentsForm(_Form):
    """Who is rated, and as what the run logs the ratings."""

    model_config = ConfigDict(title="Agents")

    rating: AtLeastOne[OrAlias] | None = None
    """Keys of the ratings, with `{agent}` where the name of the agent stands. Needed."""
    sigma: OneOrMany[OrAlias] | None = None
    """Keys of the ratings' standard deviations, with `{agent}`; scaled to Elo. Default: none."""
    base: Text | None = None
    """The agent that training began with. Default: none."""
    references: OneOrMany[Text] | None = None
    """Agents that never change, such as scripted bots. Default: none."""
    checkpoints: OneOrMany[Text] | None = None
    """Patterns of the names of saved checkpoints, with `{step}` where the step stands. Default: none."""
    not_agents: OneOrMany[Text] | None = None
    """Patterns of names that fit `rating` but are no agents. Default: none."""


class EventFieldForm(_Form):
    """A field of events under its canonical name, which ends in its unit where it has one."""

    model_config = ConfigDict(title="Event field")

    any_of: AtLeastOne[OrFieldAlias] | None = None
    """The field is the first of these that the event has. Needed."""


class EventStoreForm(_Form):
    """A dataset of Axiom. Options and environment variables go before what stands here."""

    model_config = ConfigDict(title="Axiom")

    dataset: Text | None = None
    """The dataset that holds the events, as `--axiom-dataset`."""
    url: Text | None = None
    """Where the server is, as `--axiom-url`. Default: https://api.axiom.co."""
    edge: Text | None = None
    """The edge domain to ask instead, as `--axiom-edge`. Default: none."""
    organisation: Text | None = None
    """Whose dataset it is, as `--axiom-org`; personal tokens need it. Default: none."""


class EventsForm(_Form):
    """Fields of the pipeline's events. Every other key is the canonical name of a field."""

    model_config = ConfigDict(title="Events", extra="allow")
    __pydantic_extra__: dict[str, EventFieldForm] = Field(init=False)

    required: bool | None = None
    """Whether a run without events is inconclusive. Default: false."""
    powers: OneOrMany[Text] | None = None
    """The players of the games; `{power}` in a field's name stands for each of them. Default: none."""
    axiom: EventStoreForm | None = None
    """Where events are kept, for `--events axiom`."""

    @property
    def fields_by_name(self) -> Mapping[str, EventFieldForm]:
        return self.__pydantic_extra__


class WindowForm(_Form):
    """A part of a run. Steps are logging strides of the training-step axis."""

    model_config = ConfigDict(title="Window")

    skip_steps: Annotated[int, Field(ge=0)] | None = None
    """Steps left out at the start of the run. Default: 0."""
    first_steps: Steps | None = None
    """Only so many steps from there; not together with `last_steps`. Default: all."""
    last_steps: Steps | None = None
    """Only so many steps before the run's end. Default: all."""
    min_points: Steps | None = None
    """Fewer points than this are inconclusive, so no more than there are steps. Default: 1."""


class DefaultsForm(_Form):
    """What holds for criteria that do not say otherwise."""

    model_config = ConfigDict(title="Defaults")

    window: Text | None = None
    """A name under `windows`. Default: whole."""
    missing: Missing | None = None
    """The verdict where the run does not log the metric. Default: inconclusive."""
    required: bool | None = None
    """Whether being inconclusive blocks. Default: true."""


class CriterionForm(_Form):
    """What is acceptable of one measurement. One of `warn` and `fail` is needed."""

    model_config = ConfigDict(title="Criterion")

    warn: AtLeastOne[LimitText] | None = None
    """Beyond any of these it is WARN. A limit is `> 0.1`, `< 95%`, `> 3x`, `< -5%`, or a state such as `crashed`."""
    fail: AtLeastOne[LimitText] | None = None
    """Beyond any of these it is FAIL: limits in the direction of `warn`, and reached after it."""
    window: Text | None = None
    """A name under `windows`. Default: that of `defaults`; for custom min, max, first, last, count and change whole."""
    action: Text | None = None
    """What to do about it, printed with every failure. Default: nothing."""
    source: Text | None = None
    """Where the limits come from. Default: nothing."""
    required: bool | None = None
    """false: being inconclusive does not block. Default: that of `defaults`."""
    missing: Missing | None = None
    """The verdict where the run does not log the metric. Default: that of `defaults`."""
    metric: Text | None = None
    """`custom.*` only, where it is needed: a name under `metrics`, or a key as the run logs it."""
    statistic: Statistic | None = None
    """`custom.*` only, where it is needed: what is computed over the window."""


class WaiverForm(_Form):
    """Failures that are accepted for a time. One that has expired is an error."""

    model_config = ConfigDict(title="Waiver")

    criterion: Text
    """A criterion, or a pattern of criteria."""
    run: Text = "*"
    """A run by id or name, or a pattern of runs. Default: all runs."""
    until: Day
    """The last day of the waiver."""
    reason: Text
    """Why; it stands in every report."""


class Sections(_Form):
    """What a file, a profile or an option may set."""

    model_config = ConfigDict(title="Profile")

    metrics: dict[Text, MetricForm] | None = None
    """What runs call the metrics. The metric `step` names the training-step axis."""
    config: dict[Text, AtLeastOne[Text]] | None = None
    """Canonical names of config values, and the keys of a run's config they are read from, nested ones joined with
    dots."""
    trainers: dict[Text, TrainerForm] | None = None
    """What is particular to the runs of one trainer, by the trainer's name."""
    trainer: Text | None = None
    """The trainer of all runs, or `generic` for none, as `--trainer`. Default: recognised run by run."""
    finite: FiniteForm | None = None
    """What else must be finite."""
    agents: AgentsForm | None = None
    """Who is rated. Default: nobody."""
    events: EventsForm | None = None
    """What the pipeline calls the fields of its events."""
    windows: dict[Text, WindowForm] | None = None
    """The parts of a run that criteria look at. One called `whole` is there without being written."""
    defaults: DefaultsForm | None = None
    """What holds for criteria that do not say otherwise."""
    criteria: Annotated[
        dict[Annotated[str, AfterValidator(_criterion_id)], CriterionForm] | None,
        Field(json_schema_extra={"propertyNames": {"pattern": _CRITERION_ID}}),
    ] = None
    """What is acceptable, by criterion: `<area>.<name>`."""
    off: OneOrMany[Text] | None = None
    """Criteria, or patterns of criteria, that are not judged; they are listed as not applicable. Default: none."""
    waivers: tuple[WaiverForm, ...] | None = None
    """Failures that are accepted for a time. Default: none."""


class FileForm(Sections):
    """A thresholds.yaml of trainhealth."""

    model_config = ConfigDict(title="File")

    form_version: Annotated[Literal[1], Field(alias="schema")]
    """The version of this form."""
    extends: OneOrMany[Text] | None = None
    """Files that this one builds upon, relative to it; `default` is the one shipped with the suite. Default: none."""
    profiles: dict[Text, Sections] | None = None
    """Variants by name, laid over the file by `--profile NAME`. Default: none."""


FormT = TypeVar("FormT", bound=_Form)


def read_form(node: Node, form: type[FormT]) -> FormT:
    """The node as a form.

    Raises:
        ThresholdsError: naming the first place, in the order of the file, that does not fit.
    """
    try:
        return form.model_validate(node.plain())
    except ValidationError as error:
        problems = [_Problem(node, problem) for problem in error.errors(include_url=False)]
        raise min(
            problems, key=lambda problem: (problem.follows_from_another, problem.at.origin.line)
        ).error() from None


_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "date_type": "a date such as 2026-12-31",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
    "string_pattern_mismatch": "text that is not blank",
}


class _Problem:
    """One of pydantic's errors, for people."""

    def __init__(self, node: Node, problem: Mapping[str, Any]) -> None:
        self.kind: str = problem["type"]
        self.context: Mapping[str, Any] = problem.get("ctx", {})
        self.input = problem["input"]
        self.path: tuple[str | int, ...] = problem["loc"]
        if self.path and self.path[-1] == "[key]":
            self.path = self.path[:-1]
        self.at = node.at((*self.path, self.context["key"]) if self.kind == "unknown_key" else self.path)
        self.name = _dotted(self.path, node)

    @property
    def follows_from_another(self) -> bool:
        """Whether pydantic calls a list too short only because an item of it is wrong."""
        return self.kind == "too_short" and bool(self.input)

    def error(self) -> ThresholdsError:
        return self.at.origin.error(self._text())

    def _text(self) -> str:
        name = self.name
        match self.kind:
            case "unknown_key":
                key, known = self.context["key"], self.context["known"]
                place = f" in {name}" if name else ""
                return f"unknown key '{key}'{place}{did_you_mean(key, known)} (known: {', '.join(known)})"
            case "missing":
                parent, _, key = name.rpartition(".")
                return f"{parent} has no '{key}'"
            case "value_error":
                text = str(self.context["error"])
                return f"{name} {text}" if text.startswith("must ") else f"{name}: {text}"
            case "literal_error":
                expected = self.context["expected"].replace("'", "")
                near = did_you_mean(self.input, re.findall(r"\w+", expected)) if isinstance(self.input, str) else ""
                return f"{name} must be {expected}, found {found(self.input)}{near}"
            case "greater_than_equal":
                return f"{name} must be at least {self.context['ge']}, found {found(self.input)}"
            case "too_short":
                return f"{name} must not be an empty list; leave it out, or write null to remove an inherited one"
        expected = _EXPECTED.get(self.kind, "something else")
        quotes = "; put it in quotes" if self.kind == "string_type" and isinstance(self.input, int | float) else ""
        return f"{name} must be {expected}, found {found(self.input)}{quotes}"


def _dotted(path: tuple[str | int, ...], node: Node) -> str:
    """``profiles.smoke.off[0]``; an index where no list was written is left out."""
    name = ""
    for depth, key in enumerate(path):
        if isinstance(key, str):
            name += f".{key}"
        elif isinstance(node.at(path[:depth]).value, tuple):
            name += f"[{key}]"
    return name.removeprefix(".")


class _TerseSchema(GenerateJsonSchema):
    """Without titles that only repeat the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the file, for editors."""
    schema = FileForm.model_json_schema(by_alias=True, schema_generator=_TerseSchema)
    _describe(FileForm, schema)
    for name, definition in schema["$defs"].items():
        _describe(globals()[name], definition)
    return {"$schema": GenerateJsonSchema.schema_dialect} | schema


def _describe(form: type[BaseModel], schema: dict[str, Any]) -> None:
    """Copies what stands below the fields of `form` into `schema`.

    pydantic can do so too (use_attribute_docstrings), but reads its own source at every import.
    """
    for base in form.__mro__:
        if not issubclass(base, _Form):
            continue
        body = ast.parse(inspect.getsource(base)).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in itertools.pairwise(body.body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(doc))):
                    key = form.model_fields[name].alias or name
                    schema["properties"][key].setdefault("description", " ".join(doc.split()))
