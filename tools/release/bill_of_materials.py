"""Writes the bill of materials of the wheel in dist/, as CycloneDX: `make sbom`, after `make dist`.

It lists what the wheel's environment holds without extras, and the weights that ship, as machine-learning models with
their digests, licence and origin. The file is valid by CycloneDX's own schema, and the same for the same commit and
environment.
"""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
INSTALLERS = {"pip"}


def bill_of_materials(wheel: Path, environment: dict[str, Any]) -> dict[str, Any]:
    """Completes the bill of materials of an environment by what the wheel itself holds.

    Args:
        wheel: of ttsr.
        environment: what cyclonedx-py found where it is installed.
    """
    version = wheel.name.split("-")[1]
    root = environment["metadata"]["component"]
    root |= {"version": version, "purl": f"pkg:pypi/ttsr@{version}", "hashes": [_digest(wheel.read_bytes())]}
    models = [_model(name, content) for name, content in _weights(wheel)]
    parts = [part for part in environment["components"] if part["name"] not in INSTALLERS]
    names = {part["bom-ref"] for part in (*parts, root)}
    depends = [entry for entry in environment["dependencies"] if entry["ref"] in names]
    for entry in depends:
        if entry["ref"] == root["bom-ref"]:
            entry["dependsOn"] = sorted([*entry.get("dependsOn", []), *(model["bom-ref"] for model in models)])
    depends += [{"ref": model["bom-ref"]} for model in models]
    return environment | {"components": parts + models, "dependencies": depends}


def _weights(wheel: Path) -> list[tuple[str, bytes]]:
    """The weights in a wheel: their names and files."""
    with zipfile.ZipFile(wheel) as opened:
        names = {Path(name).stem: name for name in opened.namelist() if name.endswith(".safetensors")}
        return [(model, opened.read(name)) for model, name in sorted(names.items())]


def _model(name: str, content: bytes) -> dict[str, Any]:
    """The component of weights, from what their file states."""
    length = int.from_bytes(content[:8], "little")
    stated = json.loads(content[8 : 8 + length])["__metadata__"]
    return {
        "type": "machine-learning-model",
        "bom-ref": f"weights:{name}",
        "name": name,
        "description": f"Weights in the wheel, ttsr/weights/files/{name}.safetensors; {stated['source']}",
        "hashes": [_digest(content)],
        "licenses": [{"license": {"id": stated["licence"], "acknowledgement": "declared"}}],
        "modelCard": {
            "modelParameters": {
                "task": "reference-based super-resolution",
                "architectureFamily": "texture transformer",
                "modelArchitecture": "TTSR",
                "datasets": [{"type": "dataset", "name": "photographs under open licences, listed in docs/models.md"}],
            }
        },
        "properties": [{"name": f"ttsr:{key}", "value": stated[key]} for key in ("config", "recipe")],
    }


def _digest(content: bytes) -> dict[str, str]:
    return {"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}


def main() -> int:
    """Returns 1 if the bill would not be valid. The one argument is the environment that `release.smoke_test` made."""
    # Of the environment for releases, tools/release/requirements.txt.
    from cyclonedx.schema import SchemaVersion  # pyright: ignore[reportMissingImports]
    from cyclonedx.validation.json import JsonStrictValidator  # pyright: ignore[reportMissingImports]

    (wheel,) = (ROOT / "dist").glob("*.whl")
    time = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True)
    command = ["-m", "cyclonedx_py", "environment", "--pyproject", ROOT / "pyproject.toml", "--output-reproducible"]
    found = subprocess.run(
        [sys.executable, *command, "--spec-version", "1.6", Path(sys.argv[1]) / "bin" / "python"],
        env=os.environ | {"SOURCE_DATE_EPOCH": time.stdout.strip()},
        check=True,
        stdout=subprocess.PIPE,
    )
    text = json.dumps(bill_of_materials(wheel, json.loads(found.stdout)), indent=2, ensure_ascii=False) + "\n"
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        print(f"error: not valid CycloneDX 1.6: {problem}", file=sys.stderr)
        return 1
    target = ROOT / "sbom" / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, "utf-8")
    print(f"{target.relative_to(ROOT)}: {len(json.loads(text)['components'])} components, valid CycloneDX 1.6")
    return 0


if __name__ == "__main__":
    sys.exit(main())
