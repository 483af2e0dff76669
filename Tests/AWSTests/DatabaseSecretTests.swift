import Testing

@testable import AWS

struct DatabaseSecretTests {
    @Test func `contains the database's address and credentials`() throws {
        let secret = try DatabaseSecret(
            #"{"engine":"postgres","host":"db.internal","port":5433,"username":"app","password":"p","dbname":"items"}"#)
        #expect(secret.host == "db.internal" && secret.port == 5433 && secret.dbname == "items")
        #expect(secret.username == "app" && secret.password?.exposed == "p")
        #expect(secret.fields == ["dbname", "host", "password", "port", "username"])
        #expect(secret.otherFields == ["engine"])
    }

    @Test func `a secret managed by RDS contains only user and password`() throws {
        let secret = try DatabaseSecret(#"{"username":"postgres","password":"p"}"#)
        #expect(secret.username == "postgres" && secret.password?.exposed == "p")
        #expect(secret.host == nil && secret.port == nil && secret.dbname == nil)
    }

    @Test(arguments: [
        (#"p"q"#, #"p\"q"#), (#"a\b"#, #"a\\b"#), ("a b ", "a b "), ("$HOME%s'", "$HOME%s'"), ("pä-密码-🔑", "pä-密码-🔑"),
        ("🔑", #"\ud83d\udd11"#), ("line\nfeed", #"line\nfeed"#), ("e\u{301}", "e\u{301}"), ("/@:?#&=", #"\/@:?#&="#),
    ])
    func `a password is kept byte for byte`(password: String, escaped: String) throws {
        let secret = try DatabaseSecret(#"{"username":"u","password":"\#(escaped)"}"#)
        #expect(secret.password.map { Array($0.exposed.utf8) } == Array(password.utf8))
    }

    @Test(arguments: ["5433", #""5433""#, "5433.0"])
    func `a port may be a number or its digits`(port: String) throws {
        #expect(try DatabaseSecret(#"{"password":"p","port":\#(port)}"#).port == 5433)
    }

    @Test(arguments: ["0", "65536", "-1", "1.5", #""+5""#, #"" 5""#, #""x""#, "true", "[5432]"])
    func `an invalid port is rejected`(port: String) {
        #expect(throws: DatabaseSecret.Problem.badPort) { try DatabaseSecret(#"{"password":"p","port":\#(port)}"#) }
    }

    @Test func `null and empty count as missing`() throws {
        let secret = try DatabaseSecret(#"{"username":null,"password":"p","host":"","port":"","dbname":null}"#)
        #expect(secret.fields == ["password"])
        #expect(secret.username == nil && secret.host == nil && secret.port == nil && secret.dbname == nil)
    }

    @Test(
        arguments: [
            ("hunter2", .noJSONObject), ("[]", .noJSONObject), ("", .noJSONObject),
            (#"{"password":"p""#, .noJSONObject),
            (#"{"password":"\ud800"}"#, .noText(field: "password")),
            ("{}", .noField), (#"{"user":"u"}"#, .noField),
            (#"{"username":"u"}"#, .noPassword), (#"{"username":"u","password":""}"#, .noPassword),
            (#"{"password":5}"#, .noText(field: "password")), (#"{"password":"p","host":{}}"#, .noText(field: "host")),
            (#"{"password":"a\u0000b"}"#, .zeroByte(field: "password")),
        ] as [(String, DatabaseSecret.Problem)])
    func `an unusable secret says why`(json: String, problem: DatabaseSecret.Problem) {
        #expect(throws: problem) { try DatabaseSecret(json) }
    }

    @Test func `no rendering contains the password`() throws {
        let secret = try DatabaseSecret(#"{"username":"app","password":"hunter2"}"#)
        #expect(!renderings(of: secret).contains("hunter2"))
    }

    @Test func `passwords that look alike are different`() throws {
        let one = try DatabaseSecret(#"{"password":"\u00e9"}"#)
        let other = try DatabaseSecret(#"{"password":"e\u0301"}"#)
        #expect(one != other)
    }
}
