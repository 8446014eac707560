"""Prints the JSON Schema: ``python -m trainhealth.thresholds > trainhealth/thresholds/schema.json``."""

import json

from trainhealth.thresholds.form import json_schema

print(json.dumps(json_schema(), indent=2))
