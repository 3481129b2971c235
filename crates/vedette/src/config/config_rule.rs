//! The rules that the configuration's files obey beyond those of its sections.

use vedette_core::violations;

violations! {
    pub(crate) enum ConfigRule {
        Unreadable { reason: String } = "file.unreadable": "it cannot be read: {reason}",
            "give the path of an existing TOML file; paths in a file are relative to that file";
        NoFile = "file.not-a-file": "it is not a regular file but a device, a pipe or a socket",
            "give the path of a TOML file";
        TooLarge { most_mb: f64 } = "file.too-large": "it is larger than {most_mb} MiB", "give the path of a TOML file";
        Encoding { line: f64, looks_like: String } = "file.encoding": "it is not UTF-8 from line {line}: it may be {looks_like}",
            "save it as UTF-8, or convert it with `iconv -t UTF-8 -f` and its encoding";
        ModelName = "detect.model-name": "this is not the name of a model", "give a name of `vedette models list`; it is no path";
        Syntax { reason: String } = "file.syntax": "this is not valid TOML: {reason}", "correct the file at that line";
        Value { reason: String, meant: String } = "file.value": "{reason}", "{meant}";
        ForeignEntry { list: String } = "file.foreign-entry": "this file holds [[{list}]] entries only", "remove it, or move it to the file of its kind";

        SameId = "camera.same-id": "another camera has this id", "give each camera its own";
        UnknownCredential { name: String } = "camera.unknown-credential": "no credential has this name",
            "add [ingest.credentials.{name}] to the settings file";

        NobodyMeant = "policy.applies-to": "it applies to no camera",
            "name a camera of the camera file, or a group that one of them is in";
        SameScope = "policy.same-scope": "another policy already applies to it", "put their rules together";

        SameTopic = "metadata.same-topic": "another entry has this topic", "put both together, or use two topics";
        UnknownCamera = "metadata.unknown-camera": "no camera has this id", "add it to the camera file, without a source";
        AnalysedTwice = "metadata.analysed-twice":
            "this camera's own stream is analysed too: it would be analysed twice",
            "remove `source` from its entry in the camera file";
        SameCamera = "metadata.same-camera": "another sensor is this camera already", "give each its own camera";

        SameSink = "sink.same-name": "another sink has this name",
            "give each its own; it becomes part of the consumer group";
        SamePort = "operations.same-port": "the console has this address: console.listen",
            "give another port";
    }
}
