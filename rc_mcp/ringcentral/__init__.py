"""An async client for RingCentral's Message Store: voicemails, faxes, SMS/MMS and pager messages.

    auth = JWTAuth("https://platform.ringcentral.com", client_id, client_secret, jwt)
    async with MessageStoreClient(auth) as store:
        page = await store.list_messages(message_type=["VoiceMail"], read_status=["Unread"])

It does not depend on MCP, and runs on asyncio and trio. It cannot send a request that deletes a whole mailbox because
an argument is missing: see `rc_mcp.ringcentral.calls`. `rc_mcp.ringcentral.errors` has the tree of errors.
"""

from rc_mcp.ringcentral.client import MessageStoreClient
from rc_mcp.ringcentral.content import Content
from rc_mcp.ringcentral.download import Downloaded
from rc_mcp.ringcentral.errors import (
    AnswerLost,
    APIError,
    BadEnvironment,
    BadRequest,
    ContentTooLarge,
    ErrorDetail,
    FaxNotReady,
    Forbidden,
    GatewayAnswered,
    InvalidRequest,
    LoginEnded,
    LoginFailed,
    LoginNotKept,
    LoginUnavailable,
    MailboxNotFound,
    NotFound,
    NoTimeLeft,
    NotInPlan,
    NotPaced,
    NotSent,
    RangeNotSatisfiable,
    RateLimited,
    RecordsUnreadable,
    RingCentralError,
    StillProcessing,
    SyncTokenRejected,
    TransportFailure,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from rc_mcp.ringcentral.models import (
    Attachment,
    Caller,
    Conversation,
    Message,
    MessageList,
    MessageStoreConfiguration,
    MessageSync,
    Navigation,
    Paging,
    SyncInfo,
)
from rc_mcp.ringcentral.oauth.auth import JWTAuth, TokenAuth
from rc_mcp.ringcentral.oauth.permissions import Permission
from rc_mcp.ringcentral.oauth.token_store import LoginStore
from rc_mcp.ringcentral.oauth.user_login import PersonAuth
from rc_mcp.ringcentral.outcomes import Outcome
from rc_mcp.ringcentral.parameters import (
    Availability,
    ContentDisposition,
    DeletableType,
    Direction,
    MessageType,
    ReadStatus,
    SyncType,
)
from rc_mcp.ringcentral.sync import Changes
from rc_mcp.ringcentral.transport.deadlines import REAL_TIME, Allowance, Time, at_once, in_background, waiting_until

__all__ = [
    "REAL_TIME",
    "APIError",
    "Allowance",
    "AnswerLost",
    "Attachment",
    "Availability",
    "BadEnvironment",
    "BadRequest",
    "Caller",
    "Changes",
    "Content",
    "ContentDisposition",
    "ContentTooLarge",
    "Conversation",
    "DeletableType",
    "Direction",
    "Downloaded",
    "ErrorDetail",
    "FaxNotReady",
    "Forbidden",
    "GatewayAnswered",
    "InvalidRequest",
    "JWTAuth",
    "LoginEnded",
    "LoginFailed",
    "LoginNotKept",
    "LoginStore",
    "LoginUnavailable",
    "MailboxNotFound",
    "Message",
    "MessageList",
    "MessageStoreClient",
    "MessageStoreConfiguration",
    "MessageSync",
    "MessageType",
    "Navigation",
    "NoTimeLeft",
    "NotFound",
    "NotInPlan",
    "NotPaced",
    "NotSent",
    "Outcome",
    "Paging",
    "Permission",
    "PersonAuth",
    "RangeNotSatisfiable",
    "RateLimited",
    "ReadStatus",
    "RecordsUnreadable",
    "RingCentralError",
    "StillProcessing",
    "SyncInfo",
    "SyncTokenRejected",
    "SyncType",
    "Time",
    "TokenAuth",
    "TransportFailure",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "at_once",
    "in_background",
    "waiting_until",
]
