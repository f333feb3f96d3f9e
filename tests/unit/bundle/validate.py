# SPDX-License-Identifier: Apache-2.0
"""validate.py SCHEMA_DIR CONFIG...: config.json files against the runtime-spec's schema."""
import json
import pathlib
import sys
import warnings

import jsonschema

warnings.simplefilter("ignore", DeprecationWarning)


def load(path):
    return json.loads(pathlib.Path(path).read_text())


def main(schema_dir, configs):
    schema_dir = pathlib.Path(schema_dir).resolve()
    schema = load(schema_dir / "config-schema.json")
    # The files refer to each other by relative names; their "id"s point elsewhere.
    store = {(schema_dir / p.name).as_uri(): load(p) for p in schema_dir.glob("*.json")}
    for part in store.values():
        part.pop("id", None)
    schema.pop("id", None)
    resolver = jsonschema.RefResolver(
        (schema_dir / "config-schema.json").as_uri(), schema, store=store)
    validator = jsonschema.Draft4Validator(schema, resolver=resolver)

    # A validator that accepts anything would prove nothing.
    broken = load(configs[0])
    broken["linux"]["namespaces"] = [{"type": "no such namespace"}]
    broken["process"]["cwd"] = 5
    if len(list(validator.iter_errors(broken))) < 2:
        print("not ok: the schema accepts a broken config")
        return 1

    failed = 0
    for path in configs:
        for error in validator.iter_errors(load(path)):
            failed += 1
            where = "/".join(str(p) for p in error.absolute_path)
            print(f"not ok: {path}: {where}: {error.message[:300]}")
    print(f"{len(configs)} validated against the runtime-spec schema, {failed} failed")
    return 1 if failed else 0


sys.exit(main(sys.argv[1], sys.argv[2:]))
