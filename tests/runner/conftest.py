import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Let torch use one thread, as every stack does (runner.executors): more would split sums differently."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
