"""A provider's node: it seals what the EHR pushes, answers to those whom the patient allows, and asks other nodes.

In: resources from an EHR; requests of accredited or registered clients; other nodes' answers. Out: sealed records in
the vault; answers, each after one stage was called; facts that were verified here; errors with the library's codes.

    settings = Settings.load(Path("node.toml"))
    with listen(settings) as listener, assembled(settings) as parts:
        serve(settings, create_app(parts), listener)
"""
