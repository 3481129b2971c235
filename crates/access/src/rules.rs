vedette_core::violations! {
    /// The rules of accounts and grants.
    pub(crate) enum AccessRule {
        Name = "access.name":
            "a name has 1 to 64 letters, digits and `.`, `_`, `-`, `@`, and begins with a letter or digit", "give such a name";
        Reserved { name: String } = "access.reserved": "`{name}` is the name of the caller without an account", "give another name";
        PasswordShort { least: usize } = "access.password-short":
            "the password has fewer than {least} characters", "give a longer one; several words do well";
        PasswordLong { most: usize } = "access.password-long": "the password has more than {most} bytes", "give a shorter one";
        PasswordName = "access.password-name": "the password is the name of the account", "give another one";
        Role { given: String, known: vedette_core::Words } = "access.role": "`{given}` is no role", "give one of {known}";
        Area { given: String } = "access.area":
            "`{given}` is no area", "give `address:` with the first 6, 9, 12, 14, 19 or 25 characters of a code, or `group:` with a camera group";
        Nowhere { role: String } = "access.nowhere":
            "the role `{role}` has no area", "name areas, or leave them out for the whole site";
        WholeSite { role: String } = "access.whole-site":
            "the role `{role}` is always for the whole site", "leave its areas out";
        NoGrants = "access.no-grants": "there is no role", "give at least one";
        First = "access.first": "the first account is no administrator of the whole site, so nobody could let others in",
            "make an administrator first";
        TooMany { most: usize } = "access.too-many": "there are more than {most} areas", "name larger areas, or a camera group";
        Text { what: &'static str } = "access.text": "{what} has control characters or is too long", "shorten it to one plain line";
    }
}
