"""Unpacks chosen files of one wheel: `unpack.py TARGET WHEEL SOURCE=PLACE...`

SOURCE is a path in the wheel, a folder when it ends with a slash; PLACE is where it goes below TARGET. Every file is
checked twice: zipfile checks its CRC while reading, and its sha256 is compared with the wheel's own RECORD.
"""

import base64
import csv
import hashlib
import io
import os
import sys
import zipfile


def unpack(target, wheel, rules):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        record_name = next((name for name in names if name.endswith(".dist-info/RECORD")), None)
        if record_name is None:
            raise ValueError("it holds no RECORD, so it is not a wheel")
        rows = csv.reader(io.StringIO(archive.read(record_name).decode("utf-8")))
        record = {row[0]: row[1] for row in rows if len(row) > 1}
        for rule in rules:
            source, place = rule.split("=", 1)
            chosen = [name for name in names if name == source or source.endswith("/") and name.startswith(source)]
            if not chosen:
                raise ValueError("it holds no " + source)
            for name in chosen:
                if ".." in name.split("/"):
                    raise ValueError("the path " + name + " leads outside")
                digest = write(archive, name, os.path.join(target, place + name[len(source) :]))
                if record.get(name) != digest:
                    raise ValueError(name + " has " + digest + ", but RECORD says " + str(record.get(name)))


def write(archive, name, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    sha = hashlib.sha256()
    with archive.open(name) as source, open(path, "wb") as out:
        while True:
            block = source.read(1 << 20)
            if not block:
                break
            sha.update(block)
            out.write(block)
    return "sha256=" + base64.urlsafe_b64encode(sha.digest()).decode("ascii").rstrip("=")


try:
    unpack(sys.argv[1], sys.argv[2], sys.argv[3:])
except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.zlib.error) as error:
    sys.exit(str(error))
