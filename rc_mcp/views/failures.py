"""Why a message was not delivered, in words.

The codes of texts are those of RingCentral's developer guide, "Handling SMS Messaging Errors"
(docs/messaging/sms/sms-errors.md of ringcentral/ringcentral-api-docs), which says what each means. Those of faxes are
the values of `FaxErrorCodeEnum` in RingCentral's OpenAPI document, which gives names and no more: what is said of them
here is read from their names, and the name is always shown beside it.
"""

from rc_mcp.ringcentral import Message
from rc_mcp.views.text import word

_OPTED_OUT = "the recipient opted out of texts; only their START to your number lifts that"
_NOT_A_MOBILE = "the number is invalid, not in use, or takes no texts (a landline)"
_SPAM = "taken for spam and blocked"
_NOT_SET_UP = "the sending number is not set up for texts; an administrator has to see to it"

TEXTS = {
    # SMS-RC: found by RingCentral itself.
    "SMS-RC-403": "the daily or monthly limit of texts is reached",
    "SMS-RC-410": "texts to this number are not supported; it may be a landline",
    "SMS-RC-413": _OPTED_OUT,
    "SMS-RC-430": _SPAM + " by RingCentral",
    "SMS-RC-500": "an internal error of RingCentral",
    "SMS-RC-501": "RingCentral handed it on wrongly; its support has to look",
    "SMS-RC-503": "the sending number is set up wrongly; RingCentral's support has to look",
    "SMS-RC-504": "the text service of the account is set up wrongly; an administrator has to see to it",
    # SMS-UP: found by the provider between RingCentral and the carriers.
    "SMS-UP-410": _NOT_A_MOBILE,
    "SMS-UP-413": _OPTED_OUT,
    "SMS-UP-414": _NOT_SET_UP,
    "SMS-UP-430": _SPAM + " on the way",
    "SMS-UP-431": "the sending number is flagged for spam and can no longer send",
    "SMS-UP-432": "too long; under 1,000 characters pass",
    "SMS-UP-433": "the text was not accepted as it was written",
    "SMS-UP-500": "the provider on the way had a fault; try later",
    # SMS-CAR: found by the recipient's carrier.
    "SMS-CAR-104": "the carrier has not reported yet whether it arrived",
    "SMS-CAR-199": "the carrier does not know whether it arrived; it may have",
    "SMS-CAR-400": "the recipient's carrier does not take such messages",
    "SMS-CAR-410": "it expired on the way; try later",
    "SMS-CAR-411": _NOT_A_MOBILE,
    "SMS-CAR-412": "the recipient cannot be reached",
    "SMS-CAR-413": _OPTED_OUT,
    "SMS-CAR-414": _NOT_SET_UP,
    "SMS-CAR-430": _SPAM + " by the recipient's carrier",
    "SMS-CAR-431": "the carrier rejected it and gave no reason",
    "SMS-CAR-432": "too long for the recipient's carrier; 160 characters pass",
    "SMS-CAR-433": "malformed for the recipient's carrier",
    "SMS-CAR-434": "the attachments are too large",
    "SMS-CAR-435": "rejected because of a shortened link",
    "SMS-CAR-450": "the day's limit of the company's 10DLC brand at T-Mobile is reached",
    "SMS-CAR-451": "the day's limit of the company's 10DLC campaign at AT&T is reached",
    "SMS-CAR-452": "the carriers' limit for this sender is reached",
    "SMS-CAR-460": "the recipient takes no messages from short codes",
    "SMS-CAR-461": "the sending toll-free number is not verified",
    "SMS-CAR-500": "the recipient's carrier had a fault; try later",
}
FAXES = {
    "AllLinesInUse": "all lines were in use",
    "Undefined": "RingCentral does not say why",
    "NoFaxSendPermission": "this user may not send faxes",
    "NoInternationalPermission": "this user may not call abroad",
    "NoFaxMachine": "no fax machine answered",
    "NoAnswer": "nobody answered",
    "LineBusy": "the line was busy",
    "CallerHungUp": "the call was ended before the fax was through",
    "NotEnoughCredits": "the account has not enough credit",
    "SentPartially": "only some pages were sent",
    "InternationalCallingDisabled": "calls abroad are switched off for this account",
    "DestinationCountryDisabled": "calls to that country are switched off",
    "UnknownCountryCode": "the country code is unknown",
    "NotAccepted": "the other side did not accept it",
    "InvalidNumber": "the number is invalid",
    "CallDeclined": "the call was declined",
    "TooManyCallsPerLine": "too many calls on one line",
    "CallFailed": "the call failed",
    "RenderingFailed": "the document could not be turned into pages",
    "TooManyPages": "it has too many pages",
    "ReturnToDBQueue": "RingCentral put it back into its queue",
    "NoCallTime": "no calling time is left",
    "WrongNumber": "the number is wrong",
    "ProhibitedNumber": "faxes to this number are not allowed",
    "InternalError": "an internal error of RingCentral",
    "FaxSendingProhibited": "sending faxes is not allowed",
    "ThePhoneIsBlacklisted": "the number is on a block list",
    "UserNotFound": "the user was not found",
    "ConvertError": "the document could not be converted",
    "DBGeneralError": "an internal error of RingCentral",
    "SkypeBillingFailed": "billing failed",
    "AccountSuspended": "the account is suspended",
    "ProhibitedDestination": "faxes to this destination are not allowed",
    "InternationalDisabled": "calls abroad are switched off",
}
_MOST_REASONS = 5
"""Named of one message: each of its recipients can have a code of its own."""
_SOURCES = {"SMS-RC-": "RingCentral", "SMS-UP-": "the provider on the way", "SMS-CAR-": "the recipient's carrier"}

FAILED = frozenset({"SendingFailed", "DeliveryFailed"})


def is_failed(message: Message) -> bool:
    """A message that was sent and did not arrive, at one of its recipients at least."""
    if message.direction != "Outbound":
        return False
    return message.message_status in FAILED or any(c.message_status in FAILED for c in message.to)


def why_failed(message: Message) -> str | None:
    """The reasons in words, each with its code; None where no code was given."""
    codes = [message.delivery_error_code, *(c.fax_error_code for c in message.to)]
    distinct = list(dict.fromkeys(code for code in codes if code))
    reasons = list(dict.fromkeys(_in_words(code) for code in distinct[:_MOST_REASONS]))
    if len(distinct) > _MOST_REASONS:
        reasons.append(f"and {len(distinct) - _MOST_REASONS} more")
    return "; ".join(reasons) or None


def _in_words(code: str) -> str:
    if known := TEXTS.get(code) or FAXES.get(code):
        return f"{known} ({code})"
    source = next((name for prefix, name in _SOURCES.items() if code.startswith(prefix)), None)
    return f"a reason that {source or 'RingCentral'} gave as the code {word(code)}"
