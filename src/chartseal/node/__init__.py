"""The node: a provider's vault, served over HTTP.

In: settings. Out: an app that parses a request, calls one stage, and maps errors.

    settings = Settings.load(Path("node.toml"))
    with open_provider(settings) as provider:
        serve(settings, create_app(parts_of(provider)))
"""
