"""What an agent's kubeconfig holds is read back whole."""

import pytest

from reprise.domain import kubeconfig


def test_reading_is_the_inverse_of_building() -> None:
    built = kubeconfig.build("https://gateway:8443", "PEM text\n", "secret", "shop")
    assert kubeconfig.read(built) == ("https://gateway:8443", "PEM text\n", "secret")


@pytest.mark.parametrize("missing", ["clusters", "users"])
def test_what_was_not_built_here_is_refused(missing: str) -> None:
    built = kubeconfig.build("https://gateway:8443", "PEM text\n", "secret", "shop")
    with pytest.raises(LookupError):
        kubeconfig.read(built | {missing: []})
