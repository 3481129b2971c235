//! The rules that a camera's calibration obeys.

use vedette_core::violations;

violations! {
    pub(crate) enum CalibrationRule {
        Frame = "calibration.frame": "a frame has a width and a height of 1 pixel or more",
            "give the size of the picture in which the points were marked";
        TooFewPoints = "calibration.too-few-points": "four or more control points fix a projection",
            "add points spread over the ground that the camera sees; six or more also show their own errors";
        PointOutside { width: u32, height: u32 } = "calibration.point-outside":
            "a control point lies in the frame of {width} x {height} pixels",
            "mark it in a picture of this size, or correct `calibration.frame`";
        SamePixel { least: f32, other: usize } = "calibration.same-pixel": "it lies within {least} pixels of points[{other}]",
            "remove one of the two";
        FarPoint { most: f64, distance: String } = "calibration.far-point":
            "a control point lies within {most} m of the camera's position, this one is {distance} m away",
            "check the camera's position and the coordinate system: GCJ-02 or BD-09 differ from WGS 84 by 100 m to 1,500 m, \
             swapped coordinates by far more";
        SamePlace { other: usize } = "calibration.same-place": "it is the same place as points[{other}]",
            "two pixels cannot show one place: correct or remove one of the two";
        OnALine { space: String } = "calibration.on-a-line":
            "four of the points must have no three on a line; the {space} points have no such four",
            "add a point well off the line";
        Mirrored = "calibration.mirrored": "a camera above the ground never shows it mirrored",
            "two points are exchanged, or their axes are";
        Degenerate = "calibration.degenerate": "the points do not fix a projection",
            "spread them over the ground that the camera sees";
        Horizon = "calibration.horizon": "some of the points would lie above the horizon",
            "two points are exchanged, or one is far from its true place";
        Contradiction { times: String } = "calibration.contradiction":
            "the points contradict each other: their residuals are {times} times the stated errors",
            "check this point first, then its neighbours; state larger survey errors if they are true";
        WrongPoint { most: f64, rest: String } = "calibration.wrong-point":
            "this point contradicts the others, which agree to {rest} m: it lies {most} m or more from where they put it",
            "correct its pixel or its coordinates, or remove it";

        Height = "calibration.height": "a camera hangs 0.3 m to 500 m above the ground",
            "give metres above the ground that it looks at, not above sea level";
        Heading = "calibration.heading": "a heading is -360 to 360 degrees", "give degrees clockwise from true north";
        Pitch = "calibration.pitch": "a pitch is -45 to 90 degrees below the horizon",
            "give degrees that the optical axis points down: 0 is level, 90 straight down";
        Roll = "calibration.roll": "a roll is -180 to 180 degrees",
            "give degrees that the picture is turned clockwise, mostly near 0";
        FieldOfView = "calibration.field-of-view": "a pinhole has a horizontal field of view of 1 to 150 degrees",
            "give degrees, full width; a fisheye has to be corrected to a pinhole before";
        AngleSigma = "calibration.angle-sigma": "one sigma of the angles is 0 to 20 degrees",
            "give degrees; 0.5 is usual for a level and a compass used with care";
    }
}
