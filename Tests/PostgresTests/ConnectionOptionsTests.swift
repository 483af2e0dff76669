import Testing

@testable import Postgres

struct ConnectionOptionsTests {
    private func keywords(_ options: ConnectionOptions) -> [String: String] {
        Dictionary(uniqueKeysWithValues: options.keywords(for: options.targets[0]))
    }

    @Test func `uses each of libpq's keywords once`() {
        let options = ConnectionOptions(
            host: "db.example", port: "5433", database: "items", user: "app", applicationName: "orders")
        #expect(
            keywords(options) == [
                "host": "db.example", "port": "5433", "dbname": "items", "user": "app", "sslmode": "prefer",
                "passfile": "/dev/null/none", "sslcert": "/dev/null/none", "sslkey": "/dev/null/none",
                "sslrootcert": "/dev/null/none", "sslcrl": "/dev/null/none", "sslcompression": "0", "sslsni": "1",
                "ssl_min_protocol_version": "TLSv1.2", "gssencmode": "disable", "krbsrvname": "postgres",
                "channel_binding": "prefer", "client_encoding": "UTF8", "application_name": "orders",
                "connect_timeout": "0", "keepalives": "1", "keepalives_idle": "10", "keepalives_interval": "5",
                "keepalives_count": "3", "tcp_user_timeout": "15000", "target_session_attrs": "any",
            ])
    }

    @Test
    func `a session of our own gets all settings, a pooler's session only warnings`() {
        var options = ConnectionOptions(
            host: "a", database: "d", user: "u",
            sessionSettings: [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")])
        options.statementTimeout = .milliseconds(4321)
        #expect(
            options.settings.map { "\($0.name)=\($0.value)" } == [
                "statement_timeout=4321", "plan_cache_mode=force_generic_plan", "enable_seqscan=off",
                "client_min_messages=warning",
            ])
        options.prepares = false
        #expect(options.settings.map { "\($0.name)=\($0.value)" } == ["client_min_messages=warning"])
    }

    @Test func `every keyword of libpq is set or listed as left out`() {
        let known = Set(keywords(ConnectionOptions(host: "a", database: "d", user: "u", password: "p")).keys)
        let options = ConnectionOptions.libpqOptions()
        #expect(options.count > 30)
        let news = options.map(\.keyword).filter {
            !known.contains($0) && !ConnectionOptions.keywordsLeftOut.contains($0)
        }
        #expect(news == [], "a new libpq: decide what the service says to these")
        #expect(known.isDisjoint(with: ConnectionOptions.keywordsLeftOut))
    }

    @Test func `the commands unset every variable that libpq reads for a keyword`() {
        let variables = ConnectionOptions.libpqOptions().compactMap(\.variable)
        #expect(variables.contains("PGHOSTADDR"))
        #expect(variables.filter { !$0.hasPrefix("PG") } == [])
    }

    @Test func `passes a password and a certificate only if they are set`() {
        var options = ConnectionOptions(host: "a", database: "d", user: "u", password: "it's \\ secret")
        options.sslMode = "verify-full"
        options.sslRootCertificate = "/etc/ssl/rds.pem"
        let given = keywords(options)
        #expect(given["password"] == "it's \\ secret")
        #expect(given["sslmode"] == "verify-full" && given["sslrootcert"] == "/etc/ssl/rds.pem")
        options.password = ""
        #expect(keywords(options)["password"] == "")
    }

    @Test func `a list of hosts requires a server that accepts writes`() {
        #expect(
            keywords(ConnectionOptions(host: "a,b", database: "d", user: "u"))["target_session_attrs"] == "read-write")
        #expect(keywords(ConnectionOptions(host: "a", database: "d", user: "u"))["target_session_attrs"] == "any")
    }

    @Test(arguments: [
        ("a", "1", ["a:1"]), ("a,b", "1", ["a:1", "b:1"]), ("a,b,c", "1,2,3", ["a:1", "b:2", "c:3"]),
        ("a,b,c", "1,2", ["a:1", "b:2", "c:2"]), ("", "1", [":1"]),
    ])
    func `every host of a list gets its port`(host: String, port: String, expected: [String]) {
        let options = ConnectionOptions(host: host, port: port, database: "d", user: "u")
        #expect(options.targets.map { "\($0.host):\($0.port)" } == expected)
    }
}
