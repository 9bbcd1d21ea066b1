"""What `mixstore new-extension` and `new-backend` write where the wheel is installed, and not a checkout."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.third_party.conftest import NEW
from tests.third_party.environment import call, without_its_code

pytestmark = pytest.mark.xdist_group("third party")  # so that one worker builds for all
CASES = {"mixstore-geo-fence": 40, "mixstore-file-box": 1000}
"""How many there are at least, with those of the conformance kit."""
each = pytest.mark.parametrize("name", NEW.values())


@pytest.fixture
def package(generated, name):
    """The folder of one of them."""
    return next(folder for folder in generated if folder.name == name)


@each
def test_a_new_package_passes_its_own_tests(python, package, name, tmp_path):
    tests = without_its_code(package, tmp_path)  # so that the installed code is tested
    done = call(python, "-I", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-q", cwd=tests)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= CASES[name]


@each
@pytest.mark.parametrize("check", [("check", "--no-cache"), ("format", "--check", "--no-cache")], ids=lambda it: it[0])
def test_a_new_package_is_formatted_and_linted(package, check):
    done = call(sys.executable, "-m", "ruff", *check, cwd=package)
    assert done.returncode == 0, done.stdout + done.stderr


@each
def test_a_new_package_passes_a_strict_type_checker(type_check, package):
    type_check(cwd=package)


@pytest.mark.usefixtures("generated")
def test_new_packages_are_listed_as_active(python, tmp_path):
    done = call(python, "-I", "-m", "mixstore", "plugins", "--json", cwd=tmp_path)
    listed = {info["distribution"]: info for info in json.loads(done.stdout)}
    assert {listed[name]["state"] for name in NEW.values()} == {"active"}
    assert (listed["mixstore-geo-fence"]["name"], listed["mixstore-geo-fence"]["version"]) == ("geo_fence", "0.1.0")
    assert listed["mixstore-file-box"]["backends"] == ["file-box"]


@pytest.mark.usefixtures("generated")
def test_a_new_extension_and_a_new_backend_work_together_beside_the_examples(run):
    run(
        """
        from mixstore import Field, Model, connect
        from mixstore_geo_fence import GeoFence
        from acme_slugs import Slugged

        class Place(GeoFence, Slugged, Model):
            class Meta:
                slug_from = "name"
            id: str = Field(primary_key=True)
            name: str

        with connect("file-box:///places.jsonl", name="default"):
            Place.create(id="p1", name="Café")
            assert [place.id for place in Place.where(name__geo_fence="cafe", name__slugged="cafe")] == ["p1"]
            active = [entry.name for entry in Place.extensions() if entry.state == "active"]
            assert active == ["geo_fence", "slugged"]
        """
    )
