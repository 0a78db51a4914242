"""Whole answers to what is refused before it is a request."""

from http import HTTPStatus

_REFUSAL = b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_SLOW = _REFUSAL % b"408 Request Timeout"
BAD_REQUEST = _REFUSAL % b"400 Bad Request"
TOO_MANY_CONNECTIONS = _REFUSAL % b"429 Too Many Requests\r\nretry-after: 5"
BODY_TOO_LARGE = _REFUSAL % b"413 Content Too Large"
URL_TOO_LONG = _REFUSAL % b"414 URI Too Long"
HEAD_TOO_LARGE = _REFUSAL % b"431 Request Header Fields Too Large"
NO_SOCKET = {
    HTTPStatus.TOO_MANY_REQUESTS: _REFUSAL % b"429 Too Many Requests\r\nretry-after: 5",
    HTTPStatus.SERVICE_UNAVAILABLE: _REFUSAL % b"503 Service Unavailable\r\nretry-after: 2",
}
