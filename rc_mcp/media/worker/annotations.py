"""Form fields and annotations of a PDF page: what people filled in, wrote, stamped or drew on it."""

import ctypes
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pypdfium2  # pyright: ignore[reportMissingTypeStubs]

from rc_mcp.media.document_limits import LIMITS

_pdfium: Any = pypdfium2
"""Untyped: half of its types are unknown."""
_raw: Any = _pdfium.raw
_MOST = 2000
"""Annotations of one page that are looked at."""
_NOT_SHOWN = 0x02 | 0x20
"""The flags Hidden and NoView (ISO 32000-1, table 165)."""
_PART_OF_OTHERS = (_raw.FPDF_ANNOT_LINK, _raw.FPDF_ANNOT_POPUP)
_TICKED = (_raw.FPDF_FORMFIELD_CHECKBOX, _raw.FPDF_FORMFIELD_RADIOBUTTON)
_WRITTEN = (_raw.FPDF_FORMFIELD_TEXTFIELD, _raw.FPDF_FORMFIELD_COMBOBOX, _raw.FPDF_FORMFIELD_LISTBOX)


def written_on(page: Any) -> list[str]:
    """Return the values of form fields, each with the field's name, and the texts of annotations."""
    return [text for annotation in _annotations(page) if (text := _text(page, annotation))]


def is_drawn_on(page: Any) -> bool:
    """Return whether the page has annotations that only its picture shows, such as stamps and ink."""
    return any(
        _raw.FPDFAnnot_GetSubtype(annotation) not in {_raw.FPDF_ANNOT_WIDGET, _raw.FPDF_ANNOT_FREETEXT}
        and not _contents(annotation)
        for annotation in _annotations(page)
    )


def _annotations(page: Any) -> Iterator[Any]:
    for index in range(min(_raw.FPDFPage_GetAnnotCount(page), _MOST)):
        with _annotation(page, index) as annotation:
            if (
                annotation
                and _raw.FPDFAnnot_GetSubtype(annotation) not in _PART_OF_OTHERS
                and not _raw.FPDFAnnot_GetFlags(annotation) & _NOT_SHOWN
            ):
                yield annotation


@contextmanager
def _annotation(page: Any, index: int) -> Generator[Any]:
    annotation = _raw.FPDFPage_GetAnnot(page, index)
    try:
        yield annotation
    finally:
        if annotation:
            _raw.FPDFPage_CloseAnnot(annotation)


def _text(page: Any, annotation: Any) -> str:
    if _raw.FPDFAnnot_GetSubtype(annotation) != _raw.FPDF_ANNOT_WIDGET:
        return _contents(annotation)
    return _field(page.formenv, annotation) if page.formenv else ""


def _field(form: Any, annotation: Any) -> str:
    kind = _raw.FPDFAnnot_GetFormFieldType(form, annotation)
    value = ""
    if kind in _TICKED and _raw.FPDFAnnot_IsChecked(form, annotation):
        value = "checked"
    elif kind in _WRITTEN:
        value = _string(_raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    # The alternate name is the one that people see.
    name = _string(_raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation) or _string(
        _raw.FPDFAnnot_GetFormFieldName, form, annotation
    )
    return f"{name}: {value}" if value else ""


def _contents(annotation: Any) -> str:
    return _string(_raw.FPDFAnnot_GetStringValue, annotation, b"Contents")


def _string(function: Callable[..., int], *of: Any) -> str:
    """Return a text that pdfium writes as UTF-16 with a zero at its end into a buffer of the size that it says."""
    size = function(*of, None, 0)
    if not 2 < size <= 2 * LIMITS.page_text_chars:
        return ""
    buffer = ctypes.create_string_buffer(size)
    function(*of, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace").strip()
