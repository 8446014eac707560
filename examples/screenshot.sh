#!/bin/sh
# Makes docs/images/report.png anew: the top of the report of the bundled run that collapsed. Needs Chromium or Chrome.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
browser=
for name in chromium chromium-browser google-chrome chrome; do
    if command -v "$name" >/dev/null; then browser=$name; break; fi
done
[ -n "$browser" ] || { echo "screenshot.sh: no chromium or chrome on PATH" >&2; exit 1; }

# The run is to fail: 1 is the status of a judged run that did.
python -m pytest -q -p no:cacheprovider --run-id demo-collapsed --events examples/events/demo-collapsed.ndjson.gz \
    --report-dir "$out" >/dev/null || [ $? -eq 1 ]
"$browser" --headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars --user-data-dir="$out/profile" \
    --window-size=1280,1336 --screenshot="$out/report.png" "file://$out/demo-collapsed/report.html" >/dev/null 2>&1
# A palette makes a small file. Pillow comes with ".[test]".
python - "$out/report.png" docs/images/report.png <<'END'
import sys
from PIL import Image

picture = Image.open(sys.argv[1]).convert("RGB")
picture.quantize(256, dither=Image.Dither.NONE).save(sys.argv[2], optimize=True)
END
ls -l docs/images/report.png
