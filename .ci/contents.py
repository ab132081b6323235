"""Checks the wheels named in the arguments: the package, nothing missing and nothing beside it, and at most 6 MiB."""

import sys
import zipfile
from pathlib import Path, PurePath

READ = {".py", ".pyi", ".typed", ".pxd", ".pyx", ".hh", ".cu", ".cfg"}
COMPILED = {".so", ".pyd"}
MOST = 6 * 2**20
ROOT = Path(__file__).parent.parent

for wheel in map(Path, sys.argv[1:]):
    with zipfile.ZipFile(wheel) as file:
        names = [PurePath(name) for name in file.namelist() if not name.endswith("/")]
    package = {path for path in names if not path.parts[0].endswith(".dist-info")}
    strangers = {path for path in package if path.parts[0] != "thinc" or path.suffix not in READ | COMPILED}
    assert not strangers, f"not for a wheel: {sorted(map(str, strangers))}"

    sources = {path.relative_to(ROOT) for path in (ROOT / "thinc").rglob("*") if path.suffix in READ}
    extensions = {path.parent / path.name.split(".")[0] for path in package if path.suffix in COMPILED}
    missing = sources - package | {path.with_suffix("") for path in sources if path.suffix == ".pyx"} - extensions
    assert not missing, f"not in the wheel: {sorted(map(str, missing))}"

    size = wheel.stat().st_size
    assert size <= MOST, f"{size} bytes, more than {MOST}"
    print(f"{wheel.name}: {len(names)} files, {size / 2**20:.1f} MiB")
