import pytest
from killing import run


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The folder of a run that nobody disturbs, made here: copies of this process need not import again."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run(folder)
    return folder
