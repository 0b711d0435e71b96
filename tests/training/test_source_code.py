import pytest

from tuner.spaces.references import resolve
from tuner.training.source_code import code_hashes


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space_of_mine.py"
    path.write_text("import neighbour_of_mine\n\ndef build(hp):\n    return 1\n")
    (tmp_path / "neighbour_of_mine.py").write_text("SIZE = 1\n")
    return path


def hash_of(space, monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "neighbour_of_mine", raising=False)
    resolve(str(space))
    return code_hashes()


def test_the_same_code_has_the_same_hash(space, monkeypatch):
    assert hash_of(space, monkeypatch) == hash_of(space, monkeypatch)


@pytest.mark.parametrize("name", ["space_of_mine.py", "neighbour_of_mine.py"])
def test_a_change_in_a_space_or_in_what_it_imports_changes_the_hash(space, monkeypatch, name):
    before = hash_of(space, monkeypatch)
    path = space.with_name(name)
    path.write_text(path.read_text() + "\nCHANGED = True\n")
    assert hash_of(space, monkeypatch) != before
