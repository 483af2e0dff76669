/// Where the database is, who asks, and how a connection is to behave; libpq's parameters by their meaning.
public struct ConnectionOptions: Sendable {
    /// A host, a socket directory, or a comma-separated list in libpq's sense.
    public var host: String
    /// A port, or a list as long as `host`'s.
    public var port: String
    public var database: String
    public var user: String
    public var password: String?
    /// libpq's sslmode.
    public var sslMode: String
    public var sslRootCertificate: String?
    /// Longest time for one connection attempt; libpq counts whole seconds, at least 2.
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

    /// libpq's keywords and values (PostgreSQL documentation §34.1.2): passed as an array, so that no value needs quoting.
    var keywords: [(String, String)] {
        var pairs = [
            ("host", host), ("port", port), ("dbname", database), ("user", user), ("sslmode", sslMode),
            ("client_encoding", "UTF8"), ("fallback_application_name", "items"),
            ("connect_timeout", String(max(2, (connectTimeoutMilliseconds + 999) / 1000))),
            // A peer that vanished without a word is noticed within 15 s, by idle and by busy connections alike.
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "15000"),
        ]
        if let password { pairs.append(("password", password)) }
        if let sslRootCertificate { pairs.append(("sslrootcert", sslRootCertificate)) }
        // With one host there is nothing to choose, and a read-only server is better reported than not found.
        if host.contains(",") { pairs.append(("target_session_attrs", "read-write")) }
        if prepares { pairs.append(("options", "-c statement_timeout=\(statementTimeoutMilliseconds)")) }
        return pairs
    }
}
