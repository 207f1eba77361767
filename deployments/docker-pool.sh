#!/bin/sh
# Each run in a container of its own. An example to be read and changed; it was never run, for there is no Docker
# daemon where it was written. Needs: Docker, PREFECT_API_URL (an address that containers reach: not 127.0.0.1), the image of
# deployments/Dockerfile, and `pip install prefect-docker` where the worker runs.
set -eu

# The pool first: `datasynth deploy` makes a process pool only where none of that name is.
prefect work-pool create datasynth --type docker

# What every container gets. A secret belongs into a Secret block: "{{ prefect.blocks.secret.anthropic }}" is put in when
# a run starts and stands in no database in plain text.
prefect work-pool get-default-base-job-template --type docker > template.json
python3 - <<'PYTHON'
import json
from pathlib import Path

template = json.loads(Path("template.json").read_text())
variables = template["variables"]["properties"]
variables["image"]["default"] = "datasynth"
variables["image_pull_policy"]["default"] = "IfNotPresent"
variables["env"]["default"] = {
    "ANTHROPIC_API_KEY": "{{ prefect.blocks.secret.anthropic }}",
    "DATASYNTH_STORE": "s3://bucket/datasynth",
}
Path("template.json").write_text(json.dumps(template))
PYTHON
prefect work-pool update datasynth --base-job-template template.json

datasynth deploy
prefect worker start --pool datasynth --type docker
