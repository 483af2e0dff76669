import CPostgres
import Platform

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
    public var connectTimeout: Duration
    /// The server ends a statement after this; the pool does so itself, too.
    public var statementTimeout: Duration
    /// Off for poolers: unnamed statements only, and nothing that a session keeps.
    public var prepares: Bool
    /// Who is connected, for those who look at the server's sessions.
    public var applicationName: String
    /// PostgreSQL's parameters, set in a session of a pool unless a pooler gives it to others too: the planner's, for
    /// instance. Neither names nor values need quoting.
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

    /// The servers, in the order they were given. A list of ports that is shorter than the list of hosts leaves the
    /// others with its last one.
    var targets: [Target] {
        let hosts = host.split(separator: ",", omittingEmptySubsequences: false)
        let ports = port.split(separator: ",", omittingEmptySubsequences: false)
        return hosts.enumerated().map { index, host in
            Target(host: String(host), port: String(ports[min(index, ports.count - 1)]))
        }
    }

    /// All that is set in a session of the pool's, unless a pooler gives it to others too. Without prepared statements, only
    /// what the outcome of a write depends on.
    public var settings: [(name: String, value: String)] {
        // A warning says that a commit was not replicated; the role's own setting may hide it.
        let warnings = ("client_min_messages", "warning")
        guard prepares else { return [warnings] }
        return [("statement_timeout", "\(statementTimeout.milliseconds)")] + sessionSettings + [warnings]
    }

    /// Where nothing can be: libpq's way to be told of no file, since an empty value is one that it fills in by itself.
    private static let noFile = "/dev/null/none"

    /// libpq's keywords and values (PostgreSQL documentation §34.1.2): passed as an array, so that no value needs quoting.
    ///
    /// Every keyword with a value of its own is given one, so that neither the environment nor a file in the home directory
    /// decides. Those that cannot be given a neutral value are in `keywordsLeftOut`.
    func keywords(for target: Target) -> [(String, String)] {
        var pairs = [
            ("host", target.host), ("port", target.port), ("dbname", database), ("user", user),
            ("passfile", Self.noFile), ("channel_binding", "prefer"), ("client_encoding", "UTF8"),
            ("application_name", applicationName),
            // The limit is kept here: libpq heeds its own in blocking calls alone.
            ("connect_timeout", "0"),
            // A peer that vanished without a word is noticed within 15 s, by idle and by busy connections alike.
            ("keepalives", "1"), ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "15000"),
            ("sslmode", sslMode), ("sslcompression", "0"), ("sslcert", Self.noFile), ("sslkey", Self.noFile),
            ("sslrootcert", sslRootCertificate ?? Self.noFile), ("sslcrl", Self.noFile), ("sslsni", "1"),
            ("ssl_min_protocol_version", "TLSv1.2"),
            // What it has decrypted libpq keeps to itself, where no socket tells of it.
            ("gssencmode", "disable"), ("krbsrvname", "postgres"),
            // With one host there is nothing to choose, and a read-only server still answers reads.
            ("target_session_attrs", host.contains(",") ? "read-write" : "any"),
        ]
        if let password { pairs.append(("password", password)) }
        return pairs
    }

    /// The keywords of libpq 14 to 18 that no neutral value is known for, or that older versions do not know. Each has
    /// libpq's own default as long as no variable of the environment sets it.
    static let keywordsLeftOut: Set = [
        "service", "servicefile", "hostaddr", "options", "fallback_application_name", "sslpassword", "sslcrldir",
        "requirepeer", "ssl_max_protocol_version", "gsslib", "gssdelegation", "replication", "require_auth",
        "sslcertmode", "load_balance_hosts", "sslnegotiation", "min_protocol_version", "max_protocol_version",
        "sslkeylogfile", "scram_client_key", "scram_server_key", "oauth_issuer", "oauth_client_id",
        "oauth_client_secret", "oauth_scope",
    ]

    /// What the libpq in this process takes: its keywords, and the variables of the environment it reads for them.
    static func libpqOptions() -> [(keyword: String, variable: String?)] {
        // An array that ends with an entry without a keyword; its texts are copied before it is freed.
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
