//! The findings of the checks before a run.

use vedette_core::violations;

violations! {
    pub(crate) enum PreflightRule {
        Offline = "check.offline": "not checked because of --offline: brokers, and the database of the alerts",
            "run it without --offline where they can be reached";

        BusDirectory { reason: String } = "bus.directory": "{reason}",
            "give this user the right to write there, or name another directory";
        DetectionStore { reason: String } = "tuning.directory": "{reason}",
            "give this user the right to write there, name another directory, or set tuning.enabled = false";
        BusUnreadable { reason: String } = "bus.unreadable": "{reason}", "give this user the right to read it, or name another directory";
        BusHeldByThis { process: String } = "bus.held-by-this-site": "{process} runs this configuration and has the log open";
        BusHeld { process: String } = "bus.held": "{process} has the log open",
            "stop that process, or name another directory";
        BusLayout { reason: String } = "bus.layout": "{reason}";
        Broker { reason: String } = "bus.broker": "{reason}",
            "check bus.kafka.brokers, and that the brokers run and can be reached from here";
        KafkaSetting { reason: String } = "bus.kafka-setting": "{reason}";

        OpenToOthers { mode: String, path: String } = "data.open-to-others":
            "other users of this machine may read it: its mode is {mode}", "run `chmod -R go= {path}`";

        OpenKey { mode: String, path: String } = "key.open-to-others":
            "other users of this machine may read the secret key: its mode is {mode}",
            "run `chmod 600 {path}`, and `vedette key rotate` if somebody may have read it";
        KeyFile { reason: String } = "key.unusable": "{reason}";
        OtherKey { public: String, path: String } = "key.other-pair":
            "the public key is {public}, and {path} has no secret key for it: nobody here could open what it seals",
            "name the .pub file that `vedette key new` or `vedette key rotate` wrote beside that file";
        KeyAstray = "key.not-for-this-machine": "the secret key lies on a machine without the role ingest: only ingest needs it",
            "move it to the machines with the role ingest";
        NoKeyFile { key: String } = "camera.no-key-file":
            "its password is sealed with key {key}, and this machine has no secret key", "name the file with it as ingest.key_file";
        Unopened { reason: String } = "camera.password-unopened": "{reason}";

        OpenPage = "console.open-to-network": "other machines reach the page and the API, without TLS",
            "put a proxy with TLS in front (docs/CONSOLE.md), or listen at 127.0.0.1";
        NoAccount = "console.no-account":
            "others could reach the console, and the store has no account: anybody would be an administrator",
            "make one with `vedette user add NAME --grant administrator`, or leave the console on its own machine (listen on 127.0.0.1, no console.hosts)";
        NotPixelated = "console.not-pixelated": "people in snapshots are not pixelated", "set it to true unless this is permitted here";
        OpenOperations = "operations.open-to-network":
            "other machines reach health and metrics, which tell the number and names of cameras",
            "listen at 127.0.0.1, or let only the monitoring reach it";
        SecretInFile { name: String } = "secret.in-file": "this file holds a secret: whoever reads the file has it",
            "move it to an environment variable, and name that in bus.kafka.properties_env as the value of \"{name}\"";
        SecretInAddress { placeholder: String } = "camera.secret-in-address":
            "the address has what looks like a secret in its path or query: whoever reads the file has it",
            "write {placeholder} in its place and name a credential, whose password comes from the environment";

        NoMedia { reason: String } = "media.missing": "{reason}",
            "install what is named; cameras can be neither read nor decoded without it";
        RecordingNotRead = "recording.not-read": "this recording was not read: it took too long",
            "check it on a faster disk, or with fewer recordings at once";
        RecordingMissing { reason: String } = "recording.unreadable": "this recording cannot be opened: {reason}",
            "put the recording there or correct the path; it is relative to the camera file";
        NotVideo { reason: String } = "recording.not-video": "{reason}";
        Transcode { reason: String, path: String } = "recording.refused": "{reason}",
            "run `vedette transcode {path} NEW.mp4` and name NEW.mp4 here";

        Model { reason: String } = "detect.model": "{reason}";
        ModelSlow = "detect.model-slow": "reading the model took too long",
            "run the check again; put the models on a faster disk if this stays";
        Manifests = "detect.manifests":
            "the directory `models` here holds manifests that are not those inside the program, and is not read by itself",
            "name it as detect.models, or in VEDETTE_MODELS, if it is meant";
        NoRuntime = "detect.no-runtime":
            "there is no such file",
            "run `vedette models fetch onnxruntime` and leave the setting out, or correct the path";

        PortOfThis { process: String } = "port.held-by-this-site": "{process} runs this configuration and listens there";
        PortTaken { process: String } = "port.taken": "this address and port are taken by {process}",
            "stop that process, or give another port";
        ForeignAddress = "port.foreign-address": "this is not an address of this machine",
            "give an address of this machine, 127.0.0.1 for this machine alone, or 0.0.0.0 for all of them";
        PortForbidden = "port.forbidden": "this user may not listen there",
            "give a port from 1024 on, or the right to use this one";
        Port { reason: String } = "port.unusable": "nothing can listen there: {reason}", "give another address or port";

        Unset = "secret.unset": "this environment variable is not set", "set it to the password for the process that runs";
        NotText = "secret.not-text": "this environment variable is not valid UTF-8",
            "set it to the password for the process that runs";
        SingleSignOn { reason: String } = "single-sign-on.unusable": "{reason}", "correct the setting that is named";
        Secret { reason: String } = "secret.unusable": "{reason}", "correct the value of the variable for the process that runs";

        Residuals { rms: String, worst: String } = "calibration.residuals":
            "residuals of the control points in metres, in their order: {rms} m in the root mean square, {worst} m at worst";
        NoResiduals = "calibration.no-residuals": "four control points show no errors, since any four have a projection",
            "add two or more, so that a wrong one is found";
        OddPoint { off: String } = "calibration.odd-point": "this point lies {off} from where the others put it",
            "check its pixel and its coordinates; alerts near it are as far off";
        MostlyLost { share: String } = "calibration.above-horizon":
            "{share} % of the lower half of the picture has a place on the ground; alerts elsewhere get the camera's own position",
            "check the coordinates and the order of the control points, or height and pitch of the pose";

        NoBase = "address.no-base": "there is no such file", "correct the path, or build it with `vedette address build`";
        Base { reason: String } = "address.base": "{reason}";
        BaseNotRead = "address.base-not-read": "this base was not read: it took too long",
            "run the check again; put the base on a faster disk if this stays";
        NoBases = "address.no-directory":
            "this is not a directory; bases that are published could not be found in it", "name a directory";

        InvertedZone { meant: String, opposite: String } = "policy.inverted-time-zone":
            "in this time zone the sign is inverted: it means {meant}",
            "write {opposite} if you meant the other, or better a place, as in Asia/Shanghai";

        StoreFile { reason: String } = "store.file": "{reason}",
            "give this user the right to write there, or name another file";
        Store { reason: String } = "store.unusable": "{reason}";
        Database = "store.no-answer": "the database did not respond",
            "check that the server runs and can be reached from here";
    }
}
