"""The settings of a test run: the product's own, in a data folder that is thrown away."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_data_dir = tempfile.mkdtemp(prefix="memweb-tests-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)
_of_tests = {"MEMWEB_CHROMIUM", "MEMWEB_DRILLS"}
for _name in [name for name in os.environ if name.startswith("MEMWEB_") and name not in _of_tests]:
    del os.environ[_name]
os.environ["MEMWEB_DATA_DIR"] = _data_dir
os.environ["MEMWEB_TIME_ZONE"] = "UTC"  # whatever the machine's own

from memweb.settings import *  # noqa: E402, F403

# Threads of one test may not hold the database that the next one is given.
DATABASES["default"]["CONN_MAX_AGE"] = 0  # noqa: F405

# A slow hash protects people, not tests.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
