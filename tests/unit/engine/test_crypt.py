"""Pulumi's passphrase scheme."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core.errors import ConfigError
from trivet.infra.engine.crypt import Vault
from trivet.infra.engine.values import SECRET, SIGNATURE, mask, reveal, secret

# The salt of Pulumi's own tests (pkg/secrets/passphrase/manager_test.go); its passphrase is "password".
PULUMIS = "v1:fozI5u6B030=:v1:F+6ZduKKd8G0/V7L:PGMFeIzwobWRKmEAzUdaQHqC5mMRIQ=="
VAULT = Vault(PULUMIS, lambda: "password")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
VALUES = st.dictionaries(st.text(max_size=5), JSON | JSON.map(secret), max_size=4)


def test_pulumis_own_salt_is_opened_by_its_passphrase_alone():
    assert VAULT.decrypt(VAULT.encrypt("text")) == "text"
    with pytest.raises(ConfigError, match="does not open"):
        Vault(PULUMIS, lambda: "Password").encrypt("text")


def test_a_vault_of_ones_own_is_opened_by_its_salt():
    vault = Vault.new(lambda: "passphrase")
    assert Vault(vault.salt, lambda: "passphrase").decrypt(vault.encrypt("text")) == "text"


@pytest.mark.parametrize("salt", ["", "v2:AAAA:v1:a:b", "fozI5u6B030=", "v1:fozI5u6B030="])
def test_another_form_of_salt_is_refused(salt):
    with pytest.raises(ConfigError, match="salt"):
        Vault(salt, lambda: "password").encrypt("text")


@pytest.mark.parametrize("ciphertext", ["", "v1:AAAA:BBBB", "v2:a:b:c", "v1:!:!"])
def test_a_changed_ciphertext_is_refused(ciphertext):
    with pytest.raises(ConfigError):
        VAULT.decrypt(ciphertext)


@settings(deadline=None)
@given(VALUES)
def test_sealed_values_open_again(values):
    sealed = VAULT.seal(values, "here")
    assert Vault(PULUMIS, lambda: "password").open(sealed, "here") == values
    assert VAULT.open(VAULT.seal(values, "here", show=True), "here") == values


def test_an_unchanged_secret_keeps_its_ciphertext_and_no_other_gets_it():
    sealed = VAULT.seal({"a": secret("one"), "b": secret("one")}, "here")
    other = Vault(PULUMIS, lambda: "password")
    values = other.open(sealed, "here")

    assert other.seal(values, "here") == sealed
    assert sealed["a"] != sealed["b"]
    assert other.seal({"a": secret("two")}, "here")["a"] != sealed["a"]


def test_a_sealed_secret_has_pulumis_form():
    sealed = VAULT.seal(secret([1, "x"]), "here")
    assert sealed.keys() == {SIGNATURE, "ciphertext"}
    assert sealed[SIGNATURE] == SECRET
    assert VAULT.decrypt(sealed["ciphertext"]) == '[1,"x"]'


@given(VALUES)
def test_masked_values_have_no_secret(values):
    text = str(mask({"outer": secret("hidden"), **values}))
    assert "hidden" not in text
    assert reveal(secret({"a": [secret(1)]})) == {"a": [1]}
