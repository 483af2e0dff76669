import Testing

@testable import Postgres

struct ConnectionOptionsTests {
    private func keywords(_ options: ConnectionOptions) -> [String: String] {
        Dictionary(uniqueKeysWithValues: options.keywords(for: options.targets[0]))
    }

    @Test func `names everything by libpq's keywords, each once`() {
        let options = ConnectionOptions(host: "db.example", port: "5433", database: "items", user: "app")
        #expect(
            keywords(options) == [
                "host": "db.example", "port": "5433", "dbname": "items", "user": "app", "sslmode": "prefer",
                "client_encoding": "UTF8", "fallback_application_name": "items",
                "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
                "tcp_user_timeout": "15000",
                "options": "-c statement_timeout=5000 -c plan_cache_mode=force_generic_plan -c enable_seqscan=off",
            ])
    }

    @Test func `a password and a certificate are there only when they are given`() {
        var options = ConnectionOptions(host: "a", database: "d", user: "u", password: "it's \\ secret")
        options.sslMode = "verify-full"
        options.sslRootCertificate = "/etc/ssl/rds.pem"
        let given = keywords(options)
        #expect(given["password"] == "it's \\ secret")
        #expect(given["sslmode"] == "verify-full" && given["sslrootcert"] == "/etc/ssl/rds.pem")
        options.password = ""
        #expect(keywords(options)["password"] == "")
    }

    @Test func `a list of hosts asks for the one that takes writes`() {
        #expect(
            keywords(ConnectionOptions(host: "a,b", database: "d", user: "u"))["target_session_attrs"] == "read-write")
        #expect(keywords(ConnectionOptions(host: "a", database: "d", user: "u"))["target_session_attrs"] == nil)
    }

    @Test(arguments: [
        ("a", "1", ["a:1"]), ("a,b", "1", ["a:1", "b:1"]), ("a,b,c", "1,2,3", ["a:1", "b:2", "c:3"]),
        ("a,b,c", "1,2", ["a:1", "b:2", "c:2"]), ("", "1", [":1"]),
    ])
    func `every host of a list has its port`(host: String, port: String, expected: [String]) {
        let options = ConnectionOptions(host: host, port: port, database: "d", user: "u")
        #expect(options.targets.map { "\($0.host):\($0.port)" } == expected)
    }

    @Test func `without prepared statements there is no start-up parameter that a pooler would refuse`() {
        let options = ConnectionOptions(
            host: "a", database: "d", user: "u", statementTimeoutMilliseconds: 1234, prepares: false)
        #expect(keywords(options)["options"] == nil)
    }
}
