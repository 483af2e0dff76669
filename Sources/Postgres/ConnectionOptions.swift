import CPostgres
import Platform

/// Address, credentials and behaviour of a connection. The names follow libpq's parameters where there are any.
public struct ConnectionOptions: Sendable {
    /// A host, a socket directory, or a comma-separated list of them, tried in order until one accepts writes.
    public var host: String
    /// One port for all hosts, or a comma-separated list as long as `host`'s.
    public var port: String
    public var database: String
    public var user: String
    public var password: String?
    /// libpq's sslmode.
    public var sslMode: String
    public var sslRootCertificate: String?
    /// Time limit for connecting to one host, without name resolution.
    public var connectTimeout: Duration
    /// The server cancels a statement after this time; the pool enforces it too.
    public var statementTimeout: Duration
    /// False for poolers: only unnamed statements, and no session state.
    public var prepares: Bool
    /// Shown in the server's list of sessions.
    public var applicationName: String
    /// PostgreSQL parameters, such as the planner's, set in each session of a pool, unless a pooler shares the session
    /// with other clients. Names and values must not need quoting.
    public var sessionSettings: [(name: String, value: String)]

    public init(
        host: String, port: String = "5432", database: String, user: String, password: String? = nil,
        sslMode: String = "prefer", sslRootCertificate: String? = nil, connectTimeout: Duration = .seconds(3),
        statementTimeout: Duration = Database.Options().statementTimeout, prepares: Bool = true,
        applicationName: String = "unnamed", sessionSettings: [(name: String, value: String)] = []
    ) {
        self.host = host
        self.port = port
        self.database = database
        self.user = user
        self.password = password
        self.sslMode = sslMode
        self.sslRootCertificate = sslRootCertificate
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.prepares = prepares
        self.applicationName = applicationName
        self.sessionSettings = sessionSettings
    }

    /// One server of the list.
    struct Target: Hashable, Sendable {
        let host: String
        let port: String
    }

    /// The servers in the given order. If the list of ports is shorter than that of hosts, the last port applies to the
    /// rest.
    var targets: [Target] {
        let hosts = host.split(separator: ",", omittingEmptySubsequences: false)
        let ports = port.split(separator: ",", omittingEmptySubsequences: false)
        return hosts.enumerated().map { index, host in
            Target(host: String(host), port: String(ports[min(index, ports.count - 1)]))
        }
    }

    /// All parameters set in a session of the pool, unless a pooler shares it with other clients. Without prepared
    /// statements, only those that the outcome of a write depends on.
    public var settings: [(name: String, value: String)] {
        // The server reports in a warning that a commit was not replicated; the role's own setting may suppress it.
        let warnings = ("client_min_messages", "warning")
        guard prepares else { return [warnings] }
        return [("statement_timeout", "\(statementTimeout.milliseconds)")] + sessionSettings + [warnings]
    }

    /// A path that cannot exist: for an empty value libpq would use its default file.
    private static let noFile = "/dev/null/none"

    /// libpq's keywords and values (PostgreSQL documentation §34.1.2), passed as an array so that no value needs
    /// quoting.
    ///
    /// Every keyword that has a neutral value gets one, so that neither the environment nor a file in the home
    /// directory matters. The others are listed in `keywordsLeftOut`.
    func keywords(for target: Target) -> [(String, String)] {
        var pairs = [
            ("host", target.host), ("port", target.port), ("dbname", database), ("user", user),
            ("passfile", Self.noFile), ("channel_binding", "prefer"), ("client_encoding", "UTF8"),
            ("application_name", applicationName),
            // The limit is enforced here: libpq's own applies only to blocking calls.
            ("connect_timeout", "0"),
            // Detects a peer that vanished silently within 15 s, on idle and busy connections alike.
            ("keepalives", "1"), ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "15000"),
            ("sslmode", sslMode), ("sslcompression", "0"), ("sslcert", Self.noFile), ("sslkey", Self.noFile),
            ("sslrootcert", sslRootCertificate ?? Self.noFile), ("sslcrl", Self.noFile), ("sslsni", "1"),
            ("ssl_min_protocol_version", "TLSv1.2"),
            // libpq buffers decrypted GSS data internally, where the socket does not report it.
            ("gssencmode", "disable"), ("krbsrvname", "postgres"),
            // With one host there is no choice, and a read-only server still serves reads.
            ("target_session_attrs", host.contains(",") ? "read-write" : "any"),
        ]
        if let password { pairs.append(("password", password)) }
        return pairs
    }

    /// Keywords of libpq 14 to 18 without a known neutral value, or unknown to older versions. They have libpq's
    /// defaults unless an environment variable sets them.
    static let keywordsLeftOut: Set = [
        "service", "servicefile", "hostaddr", "options", "fallback_application_name", "sslpassword", "sslcrldir",
        "requirepeer", "ssl_max_protocol_version", "gsslib", "gssdelegation", "replication", "require_auth",
        "sslcertmode", "load_balance_hosts", "sslnegotiation", "min_protocol_version", "max_protocol_version",
        "sslkeylogfile", "scram_client_key", "scram_server_key", "oauth_issuer", "oauth_client_id",
        "oauth_client_secret", "oauth_scope",
    ]

    /// The keywords of the linked libpq, and the environment variables that it reads for them.
    static func libpqOptions() -> [(keyword: String, variable: String?)] {
        // The array ends with an entry whose keyword is NULL; its texts are copied before it is freed.
        guard let options = unsafe PQconndefaults() else { return [] }
        defer { unsafe PQconninfoFree(options) }
        var found: [(String, String?)] = []
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            let variable = unsafe option.pointee.envvar.map { unsafe String(cString: $0) }
            unsafe found.append((String(cString: keyword), variable))
            unsafe option += 1
        }
        return found
    }
}
