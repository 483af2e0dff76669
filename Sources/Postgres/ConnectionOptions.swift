/// Where the database is, who asks, and how a connection is to behave; libpq's parameters by their meaning.
public struct ConnectionOptions: Sendable {
    /// A host, a socket directory, or a comma-separated list of them, tried in turn until one takes writes.
    public var host: String
    /// One port for all hosts, or a comma-separated list as long as `host`'s.
    public var port: String
    public var database: String
    public var user: String
    public var password: String?
    /// libpq's sslmode.
    public var sslMode: String
    public var sslRootCertificate: String?
    /// Longest time for one host to be connected to, name resolution aside.
    public var connectTimeoutMilliseconds: Int
    /// The server ends a statement after this; the pool does so itself, too.
    public var statementTimeoutMilliseconds: Int
    /// Off for transaction poolers: unnamed statements only, and no start-up parameter they would refuse.
    public var prepares: Bool

    public init(
        host: String, port: String = "5432", database: String, user: String, password: String? = nil,
        sslMode: String = "prefer", sslRootCertificate: String? = nil, connectTimeoutMilliseconds: Int = 3000,
        statementTimeoutMilliseconds: Int = 5000, prepares: Bool = true
    ) {
        self.host = host
        self.port = port
        self.database = database
        self.user = user
        self.password = password
        self.sslMode = sslMode
        self.sslRootCertificate = sslRootCertificate
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
        self.statementTimeoutMilliseconds = statementTimeoutMilliseconds
        self.prepares = prepares
    }

    /// One server of the list.
    struct Target: Hashable, Sendable {
        let host: String
        let port: String
    }

    /// The servers, in the order they were given. A list of ports that is shorter than the list of hosts leaves the
    /// others with its last one.
    var targets: [Target] {
        let hosts = host.split(separator: ",", omittingEmptySubsequences: false)
        let ports = port.split(separator: ",", omittingEmptySubsequences: false)
        return hosts.enumerated().map { index, host in
            Target(host: String(host), port: String(ports[min(index, ports.count - 1)]))
        }
    }

    /// Each statement is planned once for a connection: planned anew at every execution, as PostgreSQL does when a limit is a
    /// parameter, a page of 20 costs the server 116 µs instead of 79. A plan may so outlive the size of the table it was
    /// made for, hence by an index, also on a table that is empty now: every statement here finds one.
    private static let planSettings = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"

    /// libpq's keywords and values (PostgreSQL documentation §34.1.2): passed as an array, so that no value needs quoting.
    func keywords(for target: Target) -> [(String, String)] {
        var pairs = [
            ("host", target.host), ("port", target.port), ("dbname", database), ("user", user), ("sslmode", sslMode),
            ("client_encoding", "UTF8"), ("fallback_application_name", "items"),
            // A peer that vanished without a word is noticed within 15 s, by idle and by busy connections alike.
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "15000"),
        ]
        if let password { pairs.append(("password", password)) }
        if let sslRootCertificate { pairs.append(("sslrootcert", sslRootCertificate)) }
        // With one host there is nothing to choose, and a read-only server still answers reads.
        if host.contains(",") { pairs.append(("target_session_attrs", "read-write")) }
        if prepares {
            pairs.append(("options", "-c statement_timeout=\(statementTimeoutMilliseconds) \(Self.planSettings)"))
        }
        return pairs
    }
}
