import pytest
from killing import in_child, run


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The folder of a run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert in_child(lambda: run(folder / "run"), folder / "said") == 0, (folder / "said").read_text()
    return folder / "run"
