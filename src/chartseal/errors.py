"""Every deliberate error of Chartseal, in one tree with stable codes.

A message names places and counts, never values. `code` is the same word in the HTTP problem body, the log line and the
command's `--json` output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

_LONGEST_PATH = 1_024
"""Characters of a path that an error keeps: it may be a name out of a hostile file."""


class ChartsealError(Exception):
    """Base of every error that Chartseal raises on purpose."""

    code = "chartseal_error"


class CoreError(ChartsealError):
    """An error of the Rust core: a code of its own, and the element path or position where it arose."""

    def __init__(self, detail: str, code: str | None = None, path: str = "") -> None:
        path = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
        super().__init__(f"{path}: {detail}" if path else detail)
        self.detail = detail
        self.path = path
        if code is not None:
            self.code = code


class FhirError(CoreError):
    """The input is not a FHIR R4 resource that may be sealed."""

    code = "fhir_refused"


class LimitError(CoreError):
    """An input exceeds a size, nesting or count limit."""

    code = "limit_exceeded"


class MissingExtraError(ChartsealError):
    """What was asked for needs an optional package that is not installed."""

    code = "extra_missing"


class RecordError(CoreError):
    """A record's fields contradict each other or the format."""

    code = "record_invalid"


class CredentialError(CoreError):
    """A record's credential does not hold, or is not one that it may have."""

    code = "credential_refused"


class FieldEncodingError(CoreError):
    """A value does not fit its ABI type, or a leaf or proof is malformed."""

    code = "field_encoding"


class SignatureError(CoreError):
    """A signature is malformed or does not verify."""

    code = "signature_invalid"


class KeyFormatError(CoreError):
    """A key, address or curve point is malformed."""

    code = "key_invalid"


# circuits


class ProofError(CoreError):
    """A zero-knowledge proof or its public inputs are malformed, or it does not verify."""

    code = "proof_invalid"


class ProvingError(CoreError):
    """A statement's inputs are malformed or do not satisfy it, or proving was cancelled."""

    code = "proving_refused"


class CircuitKeyError(CoreError):
    """A circuit's key is missing, cut, altered, another circuit's, or made for development alone."""

    code = "circuit_key_invalid"


class CeremonyError(CoreError):
    """A ceremony's file is malformed or altered, a step is out of order, or snarkjs is missing or refuses."""

    code = "ceremony_refused"


# predicates


class PredicatePolicyError(CoreError):
    """A policy over claims does not compile; `path` is the place in its text, `line:column`.

    `excerpt` shows that place, two lines with a caret under it; it is empty where there is no text.
    """

    code = "predicate_policy_invalid"
    excerpt = ""


class PredicateError(CoreError):
    """No held record satisfies a policy, or one may not be used to prove it; `reasons` are for its holder alone."""

    code = "predicate_refused"

    def __init__(self, detail: str, code: str | None = None, path: str = "", *, reasons: Sequence[str] = ()) -> None:
        super().__init__(detail, code, path)
        self.reasons = tuple(reasons)


# attestation


class AttestationError(CoreError):
    """An EAS attestation, package, schema or link is malformed, or not one that may be relied on."""

    code = "attestation_invalid"


class PackageError(AttestationError):
    """A package, link or proof does not have the form that EAS gives it."""

    code = "package_malformed"


class SchemaError(AttestationError):
    """A schema cannot be read, or data or an attestation does not belong to it."""

    code = "schema_refused"


class DomainError(AttestationError):
    """A signature is for another chain, contract or version than expected."""

    code = "domain_refused"


class ExpiredError(AttestationError):
    """An attestation's expiration has passed."""

    code = "expired"


class NotYetValidError(AttestationError):
    """An attestation's time lies in the future."""

    code = "not_yet_valid"


class RootMismatchError(AttestationError):
    """The opened leaves do not rebuild the attested root."""

    code = "root_mismatch"


class KeystoreError(KeyFormatError):
    """A keystore file is malformed or its passphrase is wrong."""

    code = "keystore_refused"


# sealing


class SealedRecordError(CoreError):
    """A sealed record is malformed, of another kind, or does not hold together."""

    code = "sealed_record_malformed"


class PatientError(CoreError):
    """A record is another patient's, or nobody's that is known."""

    code = "patient_refused"


class StatusListError(CoreError):
    """A status list or its store is malformed, full, of another issuer, or not what stands on chain."""

    code = "status_list_refused"


class SealingError(CoreError):
    """A run of sealing cannot go on: its options, its files, or what an earlier run left do not fit together."""

    code = "sealing_refused"


# keys


class KeyFileError(CoreError):
    """A wallet or issuer key file is damaged, of another kind, or already exists."""

    code = "key_file_damaged"


class WrongPassphraseError(ChartsealError):
    """The key file is whole, but the passphrase does not open it."""

    code = "passphrase_wrong"


class WordsError(CoreError):
    """The words are not 24 of the English BIP-39 list with a right checksum, or a wallet's file does not keep them."""

    code = "words_invalid"


class DeliveryError(CoreError):
    """A delivered record is not this wallet's, or came before."""

    code = "delivery_refused"


class RegistrationError(ChartsealError):
    """A sealing address was not registered: its signed challenge has expired or is not the one that was given."""

    code = "registration_refused"


class SuccessorError(CoreError):
    """A notice that one sealing address follows another is malformed, or lacks who must sign it."""

    code = "successor_refused"


# disclosure


class DisclosureError(CoreError):
    """A disclosure cannot be made from these records, or is malformed."""

    code = "disclosure_refused"


class DisclosureFormError(DisclosureError):
    """A disclosure does not have the form that the format gives it, or is over a limit."""

    code = "disclosure_malformed"


class DelegationError(DisclosureError):
    """A delegation is malformed, or does not let its proxy sign this: for this record, this audience, now."""

    code = "delegation_refused"


class SelectionError(DisclosureError):
    """A pattern or code is malformed, or selects nothing."""

    code = "pattern_unmatched"


# verification: one class for each numbered step


class PolicyError(CoreError):
    """A trust policy is malformed."""

    code = "policy_malformed"


class VerificationError(CoreError):
    """A disclosure is refused; `step` is the number of the step that refused it."""

    code = "verification_refused"
    step = 0


class FormError(VerificationError):
    """Step 1: malformed, or over a limit."""

    code = "disclosure_malformed"
    step = 1


class NothingOpenedError(VerificationError):
    """Step 2: a record opens nothing, or there is no record."""

    code = "nothing_opened"
    step = 2


class MultiproofError(VerificationError):
    """Step 3: a leaf is no encoded field, or the leaves are not under the attested root."""

    code = "multiproof_refused"
    step = 3


class ContentError(VerificationError):
    """Step 4: control fields, slots, salts or detached values contradict each other or the format."""

    code = "content_refused"
    step = 4


class SealError(VerificationError):
    """Step 5: the attestation is not signed as it says, or is not a seal of this format."""

    code = "seal_refused"
    step = 5


class IssuerError(VerificationError):
    """Step 6: nobody whom the policy trusts sealed this at that time."""

    code = "issuer_untrusted"
    step = 6


class SealTimeError(VerificationError):
    """Step 7: a seal has expired, or lies in the future."""

    code = "seal_time_refused"
    step = 7


class RevokedError(VerificationError):
    """Step 8: a seal is revoked; `at`, `by` (an address) and `reason` (a word, or None) say what is known of it."""

    code = "seal_revoked"
    step = 8

    def __init__(self, detail: str, path: str = "", *, at: datetime, by: bytes, reason: str | None = None) -> None:
        super().__init__(detail, path=path)
        self.at = at
        self.by = by
        self.reason = reason


class AnchorError(VerificationError):
    """Step 9: an anchor does not hold its seal, or holds it at a time that contradicts it."""

    code = "anchor_refused"
    step = 9


class HolderError(VerificationError):
    """Step 10: a record's holder did not sign this disclosure, or a record stands twice."""

    code = "holder_refused"
    step = 10


class AudienceError(VerificationError):
    """Step 11: made for somebody else, for another request, or too long ago."""

    code = "audience_refused"
    step = 11


class PredicateProofError(VerificationError):
    """Step 12: a zero-knowledge proof does not hold, or is of a kind that is not known."""

    code = "proof_refused"
    step = 12


class NotCheckedError(VerificationError):
    """A step that the policy requires could not be checked; `step` is its number."""

    code = "step_not_checked"

    def __init__(self, step: int, detail: str, path: str = "") -> None:
        super().__init__(detail, path=path)
        self.step = step


# chain


class ChainError(CoreError):
    """A chain or what stands on it is not as it must be."""

    code = "chain_refused"


class NodeError(ChainError):
    """A chain's node cannot be reached, answers nonsense, or answers for another chain; nothing follows from it."""

    code = "node_unreachable"


class DeploymentError(ChainError):
    """EAS is not deployed as stated, or the statement is malformed."""

    code = "deployment_malformed"


class RevertError(ChainError):
    """A contract refused a call; `name` is its own error's name, empty where it gave none that is known."""

    code = "call_reverted"

    def __init__(self, detail: str, code: str | None = None, path: str = "", *, name: str = "") -> None:
        super().__init__(detail, code, path)
        self.name = name


class RequestError(ChainError):
    """What EAS would refuse, found before anything is sent: `path` says which of several requests."""

    code = "request_refused"


class SendError(ChainError):
    """A transaction could not be sent or mined: fees over the cap, funds, a key in use elsewhere."""

    code = "send_failed"


class PartlySentError(SendError):
    """Of many requests some are on the chain and others are not; `results` has what the former made, None for others.

    The error that the first of the others met is its cause.
    """

    code = "partly_sent"

    def __init__(self, results: Sequence[object | None]) -> None:
        missing = sum(result is None for result in results)
        super().__init__(f"{missing} of {len(results)} requests are not on the chain, the others are")
        self.results = list(results)


class AuthorityError(ChainError):
    """An accreditation, withdrawal, status root or trust root is malformed, or not its sender's to make."""

    code = "authority_refused"


class MembershipError(ChainError):
    """A credential does not count under an authority's trust root; the code says why."""

    code = "membership_refused"


class QueueError(ChainError):
    """The anchor queue cannot take or give what was asked."""

    code = "queue_refused"


class IndexingError(ChainError):
    """The index is of another chain, has not got that far, or cannot be written."""

    code = "index_refused"


class AmendmentError(ChainError):
    """A seal cannot be revoked or amended by this key, or what is amended is not what was given."""

    code = "amendment_refused"


class PresentationError(ChainError):
    """A presentation is not one that a contract takes, or not the one that it asks for."""

    code = "presentation_refused"


class CreditError(ChainError):
    """A dispense credit is not what it must be, or cannot be had."""

    code = "credit_refused"


class SampleError(ChainError):
    """A sample attestation cannot be made of this record, or does not belong to what was shown."""

    code = "sample_refused"


class AdherenceError(CoreError):
    """Events, settings or a source of them are not what adherence can be measured on; the code says why."""

    code = "adherence_refused"


class ReportDiffersError(AdherenceError):
    """A report of adherence says other numbers than the dispensings beside it; `differences` has both.

    `differences`: by the number's code (`pdc`, `covered-days`, `period-days`), what is stated and what was recomputed.
    """

    def __init__(self, differences: Mapping[str, tuple[Decimal, Decimal]]) -> None:
        names = ", ".join(differences)
        super().__init__(f"recomputed from the dispensings, these differ: {names}", "report_differs", "Observation")
        self.differences = dict(differences)


# vault


class VaultError(CoreError):
    """A vault cannot be used, lacks what was asked for, or may not do it."""

    code = "vault_refused"


class VaultKeyError(VaultError):
    """A key of a vault is missing, destroyed, damaged or out of reach."""

    code = "vault_key_missing"


class MoveError(VaultError):
    """A record is not sealed again for the address that follows its own, or nothing is."""

    code = "move_refused"


class VaultDamageError(VaultError):
    """Data of a vault are not what was stored; `path` names where."""

    code = "vault_damaged"


class AuditError(VaultError):
    """An audit chain is broken; `path` names the entry or the period where."""

    code = "audit_broken"


class ErasureError(VaultError):
    """A record may not be erased, or erasing is not finished."""

    code = "erasure_refused"


class WalletStoreError(CoreError):
    """A wallet's records cannot be used, or a record may not be taken in."""

    code = "wallet_refused"


# consent


class ConsentError(CoreError):
    """A consent or its withdrawal is malformed, not signed by the patient, not in force, or for another custodian."""

    code = "consent_invalid"


class ConsentStoreError(CoreError):
    """The register of consents that a provider keeps cannot be used."""

    code = "register_unavailable"


class ScopeError(CoreError):
    """An OAuth scope is not one that is understood here."""

    code = "scope_refused"


class SitePolicyError(CoreError):
    """A site policy is malformed, or would permit what no site may."""

    code = "site_policy_malformed"


# node


class PullError(CoreError):
    """Another node cannot be asked, refuses, or does not answer as a node does; nothing of its answer was shown."""

    code = "pull_refused"


# node


class FhirRequestError(CoreError):
    """A FHIR request cannot be answered as it stands; `path` names the parameter, never its value."""

    code = "fhir_request_refused"


# node


class AccessError(CoreError):
    """A caller of a node is not who it says, or asks for what it may not have."""

    code = "access_refused"


class TokenRequestError(AccessError):
    """A token is not given; `oauth_error` is RFC 6749's word for it, which is all that the client is told."""

    code = "token_refused"

    def __init__(self, detail: str, code: str, oauth_error: str, path: str = "") -> None:
        super().__init__(detail, code, path)
        self.oauth_error = oauth_error


class TokenError(AccessError):
    """A request carries no token that counts here now."""

    code = "token_invalid"


class PeerError(CoreError):
    """Another node or its keys cannot be reached, may not be called, or do not answer as they should."""

    code = "peer_refused"


# node


class NodeSettingsError(CoreError):
    """A node's settings, or what they point to, cannot be used; `path` is the setting's name, never its value."""

    code = "settings_invalid"


class ServiceError(CoreError):
    """A node refuses a request for its form: its size, rate, speed, media type, or who sends it."""

    code = "request_malformed"


class IngestError(CoreError):
    """A node does not take what was pushed, or knows no such import."""

    code = "ingest_refused"


# sharing


class SharingError(CoreError):
    """Records cannot be shared with a person, or what a person shared is refused."""

    code = "sharing_refused"


class ShareLinkError(SharingError):
    """A SMART Health Link, or what stands behind it, is malformed, ended, or refused by its server.

    `remaining` is how many wrong passcodes the server still takes, where it said so.
    """

    code = "link_refused"

    def __init__(self, detail: str, code: str | None = None, path: str = "", remaining: int | None = None) -> None:
        super().__init__(detail, code, path)
        self.remaining = remaining


class HealthCardError(SharingError):
    """A SMART Health Card is malformed, not signed by an issuer that we trust, out of its time, or revoked."""

    code = "card_refused"
