import pytest

from bench import record as records
from bench.failure import Failure


def test_a_record_is_read_as_it_was_written(sample, record, tmp_path):
    made = record(sample(), sample(program="go"))
    made.left_out["flask"] = "it needs gcc"
    made.write(tmp_path / "out.json")
    assert records.read(tmp_path / "out.json") == made


def test_a_record_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Failure, match="missing.json"):
        records.read(tmp_path / "missing.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"samples":[{}]}', '{"samples":1}'])
def test_a_file_that_is_no_record_is_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(Failure, match="no record of a run"):
        records.read(path)


def test_a_record_that_cannot_be_written_fails(record, tmp_path):
    with pytest.raises(Failure, match="not written"):
        record().write(tmp_path / "missing" / "out.json")
