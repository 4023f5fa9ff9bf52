"""Running agents over many records: errors, store, runner, manifest, progress, commands."""
