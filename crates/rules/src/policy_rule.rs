//! The rules that every policy obeys; those of one kind stand in its file.

use vedette_core::{Argument, Span, Words, violations};

violations! {
    pub(crate) enum PolicyRule {
        Frame = "policy.frame": "a frame has at least 1 x 1 pixels", "give the size the zones were drawn on";
        TooManyRules = "policy.too-many-rules": "a camera has at most 256 rules", "remove rules that nobody needs";
        SameId = "policy.same-id": "ids are unique within a policy", "give it another id";
        NeedsGround = "policy.needs-calibration":
            "metres are known on a calibrated camera only, and this one has no calibration",
            "calibrate the camera, or keep this rule from cameras that are not";
        Silent = "policy.alert-false": "a rule with `alert = false` is used by no combination",
            "remove `alert = false`, or name the rule in a combination";
        NoName = "policy.name": "a rule has a name", "give the name that people use";
        NoPurpose = "policy.purpose": "a rule has a purpose", "say why this may be watched for";
        NoClass = "policy.classes": "a rule counts at least one class", "name classes, for example [\"person\"]";
        Score = "policy.score": "stay must not exceed enter", "lower stay or raise enter";
        Size = "policy.size": "heights are fractions of the frame, the least below the most",
            "give two rising numbers from 0 to 1";
        Span { least: Span, most: Span } = "policy.span": "it is outside {least} to {most}", "give {least} to {most}";
        Number { least: Argument, most: Argument } = "policy.number": "it is outside {least} to {most}",
            "give {least} to {most}";
        PlaceCooldown = "policy.place-cooldown": "the cooldown of a place must be longer than that of the whole rule",
            "lower `cooldown`, or raise or remove `place_cooldown`";

        UnknownKind { known: Words } = "policy.unknown-kind": "no rule kind has this name", "the kinds are {known}";
        WrongType { expected: String, reason: String } = "policy.wrong-type": "it is {expected}: {reason}",
            "correct the value";
        Missing { expected: String } = "policy.missing": "a required parameter is missing", "give {expected}";
        UnknownParameter { known: Words } = "policy.unknown-parameter": "this kind of rule has no such parameter",
            "its parameters are {known}";
        NoParameters = "policy.no-parameters": "this kind of rule has no such parameter",
            "remove it: this kind has no parameters";

        UnknownTerm = "policy.combination.unknown-rule": "a combination is made of rules of its policy",
            "name another rule of the same policy, one that is not itself a combination";
        NestedCombination = "policy.combination.nested": "a combination is not made of combinations",
            "name another rule of the same policy, one that is not itself a combination";
        SameTerm = "policy.combination.same-rule": "the rules of a combination are different ones",
            "name each rule once";
        HiddenByCooldown { rule: String } = "policy.combination.cooldown":
            "the cooldown of `{rule}` exceeds the window of the combination",
            "lower the cooldown of that rule; `alert = false` keeps it from raising alerts itself";
        GapBeyondDuration = "policy.gap": "the gap tolerance must not exceed the duration",
            "lower the gap tolerance, or raise the duration";
        Person = "policy.person": "a person is never left behind or taken away",
            "name things, for example classes = [\"bag\"]";

        PointOutside { width: u32, height: u32 } = "policy.point": "points lie in the frame of {width} x {height} pixels",
            "move the point, or correct the policy's frame";
        TooManySegments = "policy.line.segments": "a line has at most 16 segments", "draw it with fewer";
        ShortLine = "policy.line.short": "a line is at least one pixel long", "draw its two ends apart";
        Corners = "policy.zone.corners": "a zone has 3 to 256 corners", "draw its outline corner by corner";
        Holes = "policy.zone.holes": "a zone has at most 32 holes", "draw several zones";
        SelfCrossing = "policy.zone.self-crossing": "the outline of a zone does not meet itself",
            "put the corners in order along the outline";
        HoleOutside = "policy.zone.hole-outside": "a hole lies inside the outline and apart from other holes",
            "move the hole, or join it with the other";
        SmallZone { least: f64, unit: String } = "policy.zone.small": "a zone holds at least {least} {unit}",
            "draw it larger";
        FarZone = "policy.zone.far": "a zone lies within 5,000 m of its camera", "check latitude and longitude (WGS 84)";

        TimeZone = "policy.schedule.time-zone": "it is an IANA time zone", "give one as in Asia/Shanghai";
        NoWindow = "policy.schedule.no-window": "a schedule has at least one window", "add a window, or remove the schedule";
        Date = "policy.schedule.date": "it is a date of the calendar", "write YYYY-MM-DD, as in 2026-10-01";
        TimeOfDay = "policy.schedule.time": "it is a time of day, 00:00 to 24:00", "write HH:MM, as in 06:30";
        NoHolidays = "policy.schedule.no-holidays": "windows of holidays need holidays",
            "name the holidays, or remove the windows";
        HolidayDays = "policy.schedule.holiday-days": "a holiday may be any day of the week",
            "leave out `days`: the dates decide";
    }
}
