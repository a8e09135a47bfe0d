"""Reasons in plain words why a message was not delivered.

The codes of texts and their meanings are from RingCentral's developer guide, "Handling SMS Messaging Errors"
(docs/messaging/sms/sms-errors.md of ringcentral/ringcentral-api-docs). The codes of faxes are the values of
`FaxErrorCodeEnum` in RingCentral's OpenAPI document, which does not explain them: their meanings here are read from the
names. The code is always shown too.
"""

from rc_mcp.ringcentral import Caller, Message
from rc_mcp.views.untrusted_text import word

NO_REASON = "RingCentral gave no reason"
_OPTED_OUT = "the recipient opted out of texts and must send START to your number to get texts again"
_NOT_A_MOBILE = "the number is invalid, not in use, or cannot receive texts (a landline)"
_SPAM = "blocked as spam"
_NOT_SET_UP = "the sending number is not set up for texts; an administrator must set it up"

TEXTS = {
    # SMS-RC: reported by RingCentral itself.
    "SMS-RC-403": "the daily or monthly limit of texts is reached",
    "SMS-RC-410": "texts to this number are not supported; it may be a landline",
    "SMS-RC-413": _OPTED_OUT,
    "SMS-RC-430": _SPAM + " by RingCentral",
    "SMS-RC-500": "an internal error of RingCentral",
    "SMS-RC-501": "RingCentral routed it wrongly; contact RingCentral support",
    "SMS-RC-503": "the sending number is set up wrongly; contact RingCentral support",
    "SMS-RC-504": "the text service of the account is set up wrongly; an administrator must fix it",
    # SMS-UP: reported by the provider between RingCentral and the carriers.
    "SMS-UP-410": _NOT_A_MOBILE,
    "SMS-UP-413": _OPTED_OUT,
    "SMS-UP-414": _NOT_SET_UP,
    "SMS-UP-430": _SPAM + " by the provider",
    "SMS-UP-431": "the sending number is flagged for spam and can no longer send",
    "SMS-UP-432": "too long; the limit is under 1,000 characters",
    "SMS-UP-433": "the content of the text was not accepted",
    "SMS-UP-500": "an error at the provider; try later",
    # SMS-CAR: reported by the recipient's carrier.
    "SMS-CAR-104": "the carrier has not confirmed delivery yet",
    "SMS-CAR-199": "the carrier does not know whether it was delivered; it may have been",
    "SMS-CAR-400": "the recipient's carrier does not accept such messages",
    "SMS-CAR-410": "it expired before delivery; try later",
    "SMS-CAR-411": _NOT_A_MOBILE,
    "SMS-CAR-412": "the recipient cannot be reached",
    "SMS-CAR-413": _OPTED_OUT,
    "SMS-CAR-414": _NOT_SET_UP,
    "SMS-CAR-430": _SPAM + " by the recipient's carrier",
    "SMS-CAR-431": "the carrier rejected it and gave no reason",
    "SMS-CAR-432": "too long for the recipient's carrier; the limit is 160 characters",
    "SMS-CAR-433": "malformed for the recipient's carrier",
    "SMS-CAR-434": "the attachments are too large",
    "SMS-CAR-435": "rejected because of a shortened link",
    "SMS-CAR-450": "the company's daily limit for its 10DLC brand at T-Mobile is reached",
    "SMS-CAR-451": "the company's daily limit for its 10DLC campaign at AT&T is reached",
    "SMS-CAR-452": "the carriers' limit for this sender is reached",
    "SMS-CAR-460": "the recipient does not accept messages from short codes",
    "SMS-CAR-461": "the sending toll-free number is not verified",
    "SMS-CAR-500": "an error at the recipient's carrier; try later",
}
FAXES = {
    "AllLinesInUse": "all lines were in use",
    "Undefined": NO_REASON,
    "NoFaxSendPermission": "this user may not send faxes",
    "NoInternationalPermission": "this user may not call other countries",
    "NoFaxMachine": "no fax machine answered",
    "NoAnswer": "the call was not answered",
    "LineBusy": "the line was busy",
    "CallerHungUp": "the call ended before the fax was complete",
    "NotEnoughCredits": "the account does not have enough credit",
    "SentPartially": "only some pages were sent",
    "InternationalCallingDisabled": "international calls are switched off for this account",
    "DestinationCountryDisabled": "calls to that country are switched off",
    "UnknownCountryCode": "the country code is unknown",
    "NotAccepted": "the recipient did not accept it",
    "InvalidNumber": "the number is invalid",
    "CallDeclined": "the call was declined",
    "TooManyCallsPerLine": "there were too many calls on one line",
    "CallFailed": "the call failed",
    "RenderingFailed": "the document could not be rendered as pages",
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
    "InternationalDisabled": "international calls are switched off",
}
_MOST_REASONS = 5
"""Reasons listed for one message; each recipient can have a code of its own."""
_SOURCES = {"SMS-RC-": "RingCentral", "SMS-UP-": "the provider", "SMS-CAR-": "the recipient's carrier"}

FAILED = frozenset({"SendingFailed", "DeliveryFailed"})


def is_failed(message: Message) -> bool:
    """Return whether a sent message was not delivered to at least one of its recipients."""
    if message.direction != "Outbound":
        return False
    return message.message_status in FAILED or any(_is_undelivered(message, c) for c in message.to)


def undelivered(message: Message) -> list[Caller]:
    """Return the recipients that a sent message did not reach; empty if it reached none, or no recipient is named."""
    failed = [c for c in message.to if _is_undelivered(message, c)] if message.direction == "Outbound" else []
    return failed if len(failed) < len(message.to) else []


def _is_undelivered(message: Message, recipient: Caller) -> bool:
    """Return whether a recipient was not reached. One without a status of its own has that of the message."""
    if recipient.message_status:
        return recipient.message_status in FAILED
    if message.message_status not in {*FAILED, None}:
        return False
    is_known = any(c.fax_error_code or c.message_status in FAILED for c in message.to)
    return bool(recipient.fax_error_code) if is_known else message.message_status in FAILED


def why_failed(message: Message) -> str | None:
    """Return the reasons in words, each with its code; None if there is no code.

    If only some recipients were not reached, these are their reasons.
    """
    codes = [message.delivery_error_code, *(c.fax_error_code for c in undelivered(message) or message.to)]
    distinct = list(dict.fromkeys(code for code in codes if code))
    reasons = list(dict.fromkeys(in_words(code) for code in distinct[:_MOST_REASONS]))
    if len(distinct) > _MOST_REASONS:
        reasons.append(f"and {len(distinct) - _MOST_REASONS} more")
    return "; ".join(reasons) or None


def in_words(code: str) -> str:
    """Return the meaning of a code, with the code."""
    if known := TEXTS.get(code) or FAXES.get(code):
        return f"{known} ({code})"
    source = next((name for prefix, name in _SOURCES.items() if code.startswith(prefix)), None)
    return f"{source or 'RingCentral'} gave the unknown code {word(code)}"
