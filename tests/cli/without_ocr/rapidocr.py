"""Instead of RapidOCR on a machine that lacks a library: for programs that a test starts with this folder first."""

raise ImportError("libGL.so.1: cannot open it")
