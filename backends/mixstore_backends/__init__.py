"""The backends that come with mixstore. Each has its own module, such as `mixstore_backends.sqlite`."""
