#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Includes point only down: a folder of src/ may include itself and what its line names.
# host never includes guest, nor guest host. TAP on stdout.
set -u
cd "$(dirname "$0")/../src" || exit 1

allowed() { # FOLDER: what it may include besides itself
    case $1 in
    base | hello | win) ;;
    tar) echo base ;;
    flate) echo base ;;
    oci) echo base ;;
    spec) echo base oci ;;
    wire) echo base oci spec ;;
    registry | store) echo base oci spec wire registry store ;;
    archive) echo base tar flate oci store ;;
    transport) echo base oci spec wire ;;
    deploy) echo base oci spec ;;
    host) echo base tar flate oci spec wire registry store archive transport deploy ;;
    cli) echo base tar oci spec wire registry store transport host ;;
    guest) echo base tar flate oci spec wire ;;
    *) echo "folder $1 is not in tests/includes.sh" >&2 ;;
    esac
}

n=0
failed=0
plan=$(find . -mindepth 1 -maxdepth 1 -type d | wc -l)
echo "1..$plan"
for path in */; do
    folder=${path%/}
    n=$((n + 1))
    may=" $folder $(allowed "$folder" | tr '\n' ' ') "
    bad=$(
        grep -rnoE '^#[[:space:]]*include "[^"]+"' "$folder" --include='*.[ch]' |
            while IFS= read -r line; do
                name=${line#*\"}
                name=${name%\"}
                top=${name%%/*}
                case $name in
                */*)
                    [ -d "$top" ] || continue # a generated or public header
                    case $top:${line%%:*} in win:*-win.c) continue ;; esac
                    case $may in *" $top "*) continue ;; esac
                    ;;
                *)
                    file=${line%%:*}
                    [ -f "$(dirname "$file")/$name" ] && continue
                    [ -f "$name" ] || continue # generated
                    ;;
                esac
                echo "$line"
            done
    )
    if [ -z "$bad" ]; then
        echo "ok $n - src/$folder includes only what it may know"
    else
        echo "not ok $n - src/$folder includes only what it may know"
        echo "$bad" | sed 's/^/#   /'
        failed=1
    fi
done
exit $failed
