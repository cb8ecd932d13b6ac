"""What a text must have before `secrets` and `injections` look at it: nearly every text has none of
it, and their patterns take 20 ms to be made."""

from __future__ import annotations

import re

LONG_WORD = 15  # characters: no shorter word is a key, or a text in base64
LONG_NUMBER = re.compile(r"\d[\d -]{11,}")

_SECRETS = """
password passwords passwd passwds passcode passcodes passphrase passphrases pwd pwds pin pins
pincode code codes key keys apikey apikeys secret secrets token tokens bearer private
"""
_INJECTIONS = """
ignore ignores ignoring disregard disregarding forget override overrides bypass follow following
instruction instructions prompt prompts rules guidelines now behave act pretend anything mode dan
unrestricted uncensored jailbroken reveal print repeat show output leak tell display disclose
send forward post upload exfiltrate email transmit inform mention notify alert telling informing
asking notifying reads reading sees see read process processing attention important note inst sys
system developer begin end ignora ignorez ignoriere ignorieren ignori
"""
# Folded, one of which a text has that names a secret, and one that tells a model what to do.
SECRETS = frozenset(_SECRETS.split())
INJECTIONS = frozenset(_INJECTIONS.split())
