//! The rules that requests obey, and the reasons why one fails.

use vedette_core::{AlertId, Timestamp, Words, violations};

violations! {
    pub(crate) enum ApiRule {
        NoSuchParameter = "parameter.unknown": "no parameter of this path has that name",
            "this path takes no parameters; leave it out";
        UnknownParameter { known: Words } = "parameter.unknown-of": "no parameter of this path has that name",
            "known parameters are {known}";
        GivenTwice = "parameter.twice": "it is given more than once", "give it once";
        UnknownWord { known: Words } = "parameter.unknown-word": "it is not one of the known words", "use one of {known}";
        Range { least: f64, most: f64 } = "parameter.range": "it is outside {least} to {most}", "give {least} to {most}";
        Page { most: u32 } = "parameter.page": "it is outside 1 to {most}",
            "use `before` with the `next` of a page to get more";
        Length { most: usize } = "parameter.length": "it is longer than {most} characters", "shorten it";
        Control = "parameter.control": "it holds control characters, line breaks or invisible format characters", "leave them out";
        Plus { written: String } = "parameter.plus": "a `+` in a URL means a space, so the value lost one", "write {written}";
        PathText = "path.encoding": "the path is not UTF-8 once its percent-encoding is removed",
            "encode its parts as UTF-8, then percent-encode them";
        NoReason = "parameter.no-reason": "a look at pictures needs a reason on this site", "say why, in `reason`";
        NameGiven = "parameter.name-given": "a person with an account acts under its name", "leave `by` out";
        NoOperator = "parameter.no-operator": "the name is empty", "give the name of the person who decides";

        Number { reason: String, expected: String } = "parameter.number": "{reason}", "give {expected}";
        Instant { reason: String } = "parameter.instant": "{reason}",
            "write RFC 3339 with an offset, as in 2026-03-01T08:00:00Z (a `+` in a URL is written %2B)";
        Prefix { reason: String } = "parameter.address": "{reason}",
            "give the first 6, 9, 12, 14, 19 or all 25 characters of a code";
        Code { reason: String } = "parameter.code": "{reason}",
            "give 6, 9, 12, 14, 19 or all 25 characters of a standard address code; a padded one ends with `*`";
        Unit { reason: String } = "parameter.unit": "{reason}",
            "give KIND:CODE, as in police:P-0101, or CODE alone for any kind; alerts carry both in `responsible`";
        Camera { reason: String } = "parameter.camera": "{reason}", "take a camera's id from /api/v1/cameras";
        Cursor { reason: String } = "parameter.cursor": "{reason}", "pass the `next` of the page before as it was given";
        Rule { reason: String } = "parameter.rule": "{reason}", "take a rule's id from /api/v1/policies";
        Term { reason: String } = "parameter.term": "{reason}", "take the `term` of one of /api/v1/near-misses";
        Alert { reason: String } = "parameter.alert": "{reason}", "take an id from /api/v1/alerts";
        Until { from: Timestamp } = "parameter.until": "it is not after `from` ({from}), so nothing can match",
            "give a later `until`";
        LastEvent = "parameter.last-event": "it is not the number of a change",
            "send the id of the last event as it was given, or leave it out";
        Place { reason: String } = "parameter.place": "{reason}", "give degrees, WGS 84, latitude as `lat`";
        GoesWith { other: String } = "parameter.goes-with": "it is valid only together with {other}",
            "add {other}, or leave it out";
        TextAndPoint = "parameter.text-and-point": "a text and a point are given together", "give `q`, or `lat` and `lon`";
        NeitherTextNorPoint = "address-query.empty": "it is missing", "give `q` for a text, or `lat` and `lon` for a point";
        Area { reason: String } = "parameter.area": "{reason}",
            "give west,south,east,north in degrees, WGS 84, as in 113.94,22.53,113.95,22.54";
        Revision = "parameter.revision": "it is below 1", "send the `revision` of the alert that was seen";

        Body { reason: String } = "body.invalid": "{reason}",
            "send {{\"verdict\": \"confirmed\" or \"false_alarm\", \"by\": \"who decides\", \"note\": \"optional\", \
             \"revision\": optional}}";
        Field { reason: String } = "body.field": "{reason}", "correct this value; /api/v1/openapi.json describes the body";
        NotJson { reason: String } = "body.json": "it is not one JSON value: {reason}", "send one object";
        Missing = "parameter.missing": "it is missing", "give it";
        Most { most: f64 } = "parameter.most": "it is more than {most}", "give at most {most}";
        CamerasNamed { most: usize } = "what-if.cameras": "a question is about 1 to {most} cameras", "name so many in `cameras`";
        OneDraft = "what-if.draft": "there is no draft, or there are two", "give values in `set`, or policies in `policies`";
        OneText = "draft.one-text": "there is no text, or there are two", "give one of `policy`, `toml` and, where it is taken, `draft`";
        DraftTag = "draft.tag": "it is no `ETag` of a draft", "send the `ETag` as it was given; a new draft is written with `If-None-Match: *`";
        DraftCondition = "draft.condition": "a draft is written or removed against the version that was seen",
            "send its `ETag` as `If-Match`, or `If-None-Match: *` for a new one";
        DraftChanged { scope: String, by: String, at: Timestamp, tag: String, differs: String } = "draft.changed":
            "the draft of {scope} was written at {at} by {by}, and is version {tag} now{differs}",
            "get it again, and decide about the other change first";
        DraftGone { scope: String } = "draft.gone": "this version of the draft of {scope} is not there any more: it was removed, dropped or applied, or is somebody else's",
            "write it again with `If-None-Match: *`";
        NoDraft { scope: String } = "draft.none": "the caller has no draft of {scope}", "write one with `If-None-Match: *`";
        DraftTooLarge { most: usize } = "draft.too-large": "it has more than {most} bytes, which is what a policy may have", "shorten it";
        TooManyDrafts { most: u32 } = "draft.too-many": "the caller has {most} drafts, which is the most", "remove those that are not needed";
        DraftUnreadable { count: f64 } = "draft.unreadable": "it cannot be read, for {count} reasons: `refusals`",
            "correct each value as its `fix` says; nothing has changed";
        DraftSyntax { reason: String } = "draft.syntax": "{reason}", "correct the text at this place";
        DraftValue { reason: String } = "draft.value": "{reason}", "correct this value; docs/RULES.md describes rules";
        DraftOnePolicy { count: f64 } = "draft.one-policy": "there are {count} policies in it", "leave the one of this scope";
        DraftAppliesTo { scope: String } = "draft.applies-to": "it applies to another scope than {scope}, whose path this is", "leave it out, or write {scope}";
        SweepSize { most: usize } = "what-if.sweep-size": "a sweep has one or two terms and at most {most} combinations of their values",
            "give fewer values";
        Question { reason: String } = "what-if.question": "{reason}", "ask about what is there: /api/v1/policies has the policies in force";
        DraftRefused = "what-if.refused": "cameras cannot use the draft: `refusals`", "correct each value as its `fix` says";
        NoDetections { reason: String } = "what-if.no-detections": "{reason}",
            "ask about a later time; `tuning.keep` and `tuning.max_bytes` say how long detections are stored, and the newest minute is stored late";
        NoTuning = "what-if.off": "this site stores no detections", "set tuning.enabled = true, and ask about the time from then on";
        TooManyTrials = "busy.what-if": "too many questions about drafts wait", "ask again in a few seconds; `tuning.threads` sets how many are answered at once";
        NothingToChange = "change.nothing": "nothing in it differs from what is in force", "change something";
        RefusedOnCameras { count: f64 } = "change.refused": "it cannot be applied, for {count} reasons: `refusals`",
            "correct each value as its `fix` says; nothing has changed";
        RefusedByWorker { count: f64, worker: String } = "change.refused-by-worker":
            "the worker {worker} cannot apply it, for {count} reasons: `refusals`",
            "correct each value as its `fix` says, or bring all workers to the same release; nothing has changed";
        Stale { reason: String } = "change.stale": "{reason}", "get it again, and decide about the other change first";
        KeptElsewhere { reason: String } = "change.kept-elsewhere": "{reason}",
            "change it there, or set `take_over`: from then on it is kept here";
        NoPublicKey = "password.no-key": "the console has no public key to seal a password with",
            "make one with `vedette key new`, and name the .pub file as site.public_key where the console runs; or give the password \
             as `vedette camera seal` prints it";
        PublicKey { reason: String } = "password.key-unusable": "{reason}", "correct site.public_key where the console runs";
        Password { reason: String } = "password.unusable": "{reason}", "give the password of the camera's user";
        PasswordAddress = "password.address": "a password is sealed for host and port, and the address has none",
            "give rtsp://HOST/PATH as source.url";
        NoSecretKey = "password.no-secret-key": "this process reads no cameras, or has no secret key",
            "run `vedette key rotate` on a machine with the role ingest";
        NotKept { key: String } = "password.not-kept": "the camera has no password now that is sealed with key {key}",
            "get the camera again, or give its password";
        ChangeTooLarge { reason: String } = "change.too-large": "{reason}", "apply a part of it at a time";
        ChangeNotNow { reason: String } = "change.not-now": "nothing has changed: {reason}", "try again";
        OtherCamera { id: String } = "camera.other-id": "it is the id of another camera than {id}, whose path this is", "write {id}";
        NoCamera { id: String } = "camera.none": "there is no camera {id}", "take one of /api/v1/cameras";
        NoPolicy { scope: String } = "policy.none": "there is no policy {scope}", "take a scope of /api/v1/policies";
        NoVersion { scope: String, version: f64 } = "policy.no-version": "policy {scope} has no version {version}",
            "take one of its versions";
        NoRule { scope: String } = "policy.no-rule": "policy {scope} has no rule of that name", "take one of its rules";
        PauseEnd { days: f64 } = "policy.pause-end": "it is not within the next {days} days", "give a later or an earlier time";
        Tag = "parameter.tag": "it is no `ETag` of a policy", "send the `ETag` as it was given, or leave it out";
        BodyTooLarge { most: usize } = "body.too-large": "the body has more than {most} bytes", "send less: no request needs more";
        BodySlow { seconds: f64 } = "body.slow": "the body did not arrive within {seconds} s", "send it at once";
        BodyBroken { reason: String } = "body.broken": "the body could not be received: {reason}", "send it again";
        ContentType { given: String } = "body.content-type": "the content type is `{given}`",
            "send `Content-Type: application/json`";
        FormType { given: String } = "body.form-type": "the content type is `{given}`",
            "send `Content-Type: application/x-www-form-urlencoded`";

        HostMissing = "host.missing": "the request has no `Host`", "send the name under which the console is opened";
        HostTwice = "host.twice": "the request has more than one `Host`", "send one";
        HostMalformed { given: String } = "host.malformed": "`{given}` is not a host",
            "send NAME, NAME:PORT or an IP address as `Host`; an IPv6 address stands in brackets";
        HostUnknown { given: String } = "host.unknown": "the console is not opened as `{given}`",
            "open it by its address; if this is one of its names, add it to console.hosts";
        LoginNeeded = "access.login-needed": "nobody is logged in", "log in, or send a token as `Authorization: Bearer ...`";
        SessionOver = "access.session-over": "the session is over", "log in again";
        TokenMalformed = "access.token-malformed": "the header `Authorization` has no token", "send `Bearer ` and the token as it was shown";
        TokenUnknown = "access.token-unknown": "the token is not known, was revoked, or has expired", "ask an administrator for another one";
        WrongLogin = "access.wrong-login": "name or password is wrong, or the account is disabled", "try again, or ask an administrator";
        LoginWait { seconds: f64 } = "access.login-wait": "too many logins failed", "try again in {seconds} s";
        TooManyLogins = "busy.logins": "too many people log in at once", "try again in a few seconds";
        NoAccounts = "access.no-accounts": "the console has no accounts, so it answers programs of its own machine only",
            "make an account there: vedette user add NAME --grant administrator";
        NoAccountYet = "access.no-account-yet": "the site has no account: a token made now would outlive that",
            "make the first account, then tokens";
        CameraShared = "access.camera-shared":
            "the camera belongs to groups outside of the areas of the caller too, or would leave or join such a group",
            "leave its source and those groups as they are, or ask an administrator of the whole site";
        FileSource = "access.file-source": "a recording on the server is read, which may be of elsewhere",
            "name the address of a camera, or ask an administrator of the whole site";
        NotOpen = "access.not-open": "no rule opens this path to anybody", "report it as a fault of the product";
        NotPermitted { permission: String } = "access.not-permitted": "none of the caller's roles has the permission `{permission}`",
            "ask an administrator for a role that has it; docs/ACCESS.md lists them";
        NotHere { permission: String } = "access.not-here": "the caller has the permission `{permission}` in some areas only",
            "ask somebody who has it for the whole site";
        CameraElsewhere = "access.camera-elsewhere": "the camera would lie outside of the areas of the caller",
            "give it a group or an address inside of them";
        LocalNeedsNone = "access.local": "the caller has no account", "make one: vedette user add NAME --grant administrator";
        ProviderAccount = "access.provider-account": "the account logs in at a provider", "change the password there";
        SignOnOff = "sign-on.off": "this site has no single sign-on", "log in with name and password; console.access.single_sign_on sets it up";
        SignOnAway = "sign-on.away": "the provider of single sign-on cannot be used now; the log says why",
            "try again in a minute, or log in with a name and password of this console; sessions that have begun go on";
        SignOnReturnTo = "sign-on.return-to": "it is no path of this console", "give a path that begins with one slash, as in /";
        SignOnNotBegun { page: String } = "sign-on.not-begun":
            "no login was begun in this browser within the last ten minutes, or it was finished already", "begin again, at {page}";
        SignOnOtherLogin { reason: String } = "sign-on.other-login": "the answer of the provider belongs to another login: {reason}",
            "begin again on the page";
        SignOnRefused { code: String } = "sign-on.refused": "the provider refused: `{code}`",
            "try again; when it stays, compare client, secret and redirect address at the provider with console.access.single_sign_on";
        SignOnToken { reason: String } = "sign-on.token": "the token of the provider {reason}",
            "try again; when it stays, compare issuer and client with console.access.single_sign_on, and the clocks of both machines";
        SignOnName { claim: String, reason: String } = "sign-on.name": "the claim `{claim}` is no name of an account: {reason}",
            "ask an administrator to change the name at the provider, or to set console.access.single_sign_on.name to another claim";
        SignOnNoRole { name: String, claim: String } = "sign-on.no-role":
            "{name} has no role here: no value of the claim `{claim}` is in console.access.single_sign_on.grants",
            "ask an administrator for a group that has a role";
        SignOnNameTaken { name: String } = "sign-on.name-taken":
            "there is an account {name} already, with a password or of another person at the provider",
            "ask an administrator to remove it (vedette user remove {name}), or to change the name at the provider";
        SignOnDisabled { name: String } = "sign-on.disabled": "the account {name} is disabled", "ask an administrator";
        LogoutToken { reason: String } = "sign-on.logout-token": "{reason}", "send a new logout token of the provider that is configured";
        WrongPassword = "access.wrong-password": "the password is wrong", "give the present one";
        NoAccount { name: String } = "access.no-account": "there is no account {name}", "take one of /api/v1/accounts";
        AccountRefused { reason: String } = "access.refused": "{reason}", "look at /api/v1/accounts";
        NoToken { name: String } = "access.no-token": "there is no token {name}", "take one of /api/v1/tokens";
        NoSession { id: String } = "access.no-session": "there is no session {id}", "take one of /api/v1/sessions";
        MoreThanOwn = "access.more-than-own": "the grants are more than those of the caller", "give fewer";
        LifeOfToken { most: f64 } = "access.token-life": "a token lives 1 to {most} days", "give so many `days`";
        CrossSite { site: String } = "cross-site.refused": "a page of another site asks: {site}",
            "use the console's own page; if that is what asks, add the name under which it is opened to console.hosts, or let the \
             proxy pass on `Host`";

        NoPath = "not-found.path": "there is nothing at this path", "see /api/v1/openapi.json";
        NoPage { path: String } = "not-found.page": "there is no /{path}", "open / for the page";
        NoAlert { id: AlertId } = "not-found.alert": "there is no alert {id}",
            "take an id from /api/v1/alerts; an alert whose retention is over is deleted";
        NoFrames = "not-found.frames": "no frame of this camera has been counted",
            "see /api/v1/cameras; counts come with the first checkpoint";
        NoEntity { level: String, code: String } = "not-found.address": "the address base knows no {level} {code}",
            "take a code from /api/v1/addresses?q=TEXT; /api/v1/addresses/base says which base serves";
        Method = "method.not-allowed": "this path exists, but not with this method", "see /api/v1/openapi.json";

        Superseded { seen: u32, id: AlertId, held: u32 } = "conflict.revision":
            "the verdict is about revision {seen} of alert {id}; the store holds revision {held}, so this is not what was seen",
            "load the alert again and decide about its present content";
        Gone { reason: String } = "evidence.gone": "{reason}",
            "nothing brings it back; a longer retention of `video` keeps the next one";
        Pending { reason: String } = "evidence.pending": "{reason}", "ask again in a few seconds";
        NoClip { word: String, reason: String } = "evidence.no-clip": "{reason}",
            "nothing brings it back; the alert says why too: {word}";
        ClipPending = "evidence.clip-pending": "the clip is still to be made",
            "ask again in a few seconds; the live stream says when it is there";
        NoPicture { reason: String } = "camera.no-picture": "{reason}", "ask again once the camera gives pictures; /api/v1/cameras says why it gives none";
        TooManyPictures = "busy.pictures": "too many live pictures are being made", "ask again in a few seconds";
        ByteRange { bytes: usize } = "range.unsatisfiable": "the range lies outside the {bytes} bytes of the file",
            "ask for a range within it, or leave `Range` out";
        TooManySnapshots = "busy.snapshots": "too many snapshots are being made", "ask again in a few seconds";
        TooManyStreams { most: usize } = "busy.streams": "{most} live streams are open, which is the most",
            "close one, or raise console.limits.streams";
        TooManyStreamsOfClient { most: usize } = "busy.streams-of-client": "{most} live streams of this client are open, which is the most",
            "close one, or raise console.limits.streams_per_client; behind a proxy, name it in console.trusted_proxies";
        TooManyConnections = "busy.connections": "the most connections are open, each with a request in progress",
            "ask again in a few seconds; console.limits sets how many may be open";
        StoreUnreachable = "busy.store": "the alert store cannot be reached", "ask again in a few seconds; /healthz says why";
        Internal { operation: String } = "internal.failed": "{operation} failed; the server's log says why",
            "ask again; when it stays, ask the operator to read the server's log";
        Snapshot { reason: String } = "internal.snapshot": "{reason}",
            "ask again; when it stays, ask the operator to read the server's log";
    }
}

impl ApiRule {
    /// The code of a login that failed.
    pub(crate) const WRONG_LOGIN: &str = "access.wrong-login";
    /// The code of a change of a password that failed.
    pub(crate) const WRONG_PASSWORD: &str = "access.wrong-password";

    /// The violation of a parameter that is not the `expected` number.
    pub(crate) fn number(expected: &str) -> impl FnOnce(String) -> Self {
        let expected = expected.to_owned();
        move |reason| Self::Number { reason, expected }
    }
}
