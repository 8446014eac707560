"""What one verdict asks of Axiom: queries, bytes of their texts and of the answers. It prints; it never judges.

python benchmarks/axiom.py            # the healthy demo's events, on a loopback server that runs the queries
python benchmarks/axiom.py --show     # with the texts, to be tried in Axiom's own console
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVENTS = ROOT / "examples" / "events" / "demo-healthy.ndjson.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print the texts of the queries")
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
    from axiom_kql import Dataset
    from axiom_server import TOKEN, AxiomServer

    from fixtures.sources.axiom import read_axiom
    from fixtures.sources.axiom_account import Account
    from trainhealth.attribution import Scope
    from trainhealth.thresholds import load

    with gzip.open(EVENTS, "rt", encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]
    file = ROOT / "thresholds.yaml"
    wanted = load(file, profile=None, overrides=[], default=file).events
    with AxiomServer({"events": Dataset(events)}) as server:
        account = Account("events", f"{server.url}/v1/datasets/_apl", TOKEN, timeout=600)
        read_axiom(account, wanted.fields, Scope(("demo-healthy",), (1_766_222_048.0, 1_766_229_248.0)), wanted.powers)
        texts = [str(asked.body["apl"]) for asked in server.queries]
        if arguments.show:
            print(*texts, sep="\n\n", end="\n\n")
        print(f"{len(events):,} events: {len(texts)} queries, {sum(map(len, texts)):,} bytes of APL (the longest has "
              f"{max(map(len, texts)):,}), {server.answered:,} bytes of answers")  # fmt: skip


if __name__ == "__main__":
    main()
