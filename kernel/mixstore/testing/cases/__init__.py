"""The cases, a class a subject; `BackendConformance` is all of them."""
