"""What the blob suite adds to the hub and the accounts of the client tests."""
import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes over ten seconds; run by its own name or -m slow")


@pytest.fixture
def connection_string(account) -> str:
    return (f"DefaultEndpointsProtocol=http;AccountName={account.name};AccountKey={account.key};"
            f"BlobEndpoint={account.endpoint};")
