/// Finds credentials where the AWS SDKs look, in the same order: variables, the container's endpoint, the instance's
/// role.
///
/// The first configured place answers or fails; the credentials of another place are never used instead. Credentials
/// that expire are replaced before they do. May be called on any thread; blocks during requests.
public final class CredentialsChain: Sendable {
    /// EC2 provides new credentials at least five minutes before the old ones expire (EC2 User Guide); an earlier
    /// request would return the old ones.
    static let refreshMarginSeconds: Int64 = 300

    /// Interval between two attempts to replace credentials that are still valid.
    static let retryIntervalSeconds: Int64 = 30

    private struct State {
        var credentials: Credentials?
        var attemptedAt: Int64?
    }

    private let environment: Environment
    private let time: TimeSource
    private let fetch: @Sendable (Environment) throws(CredentialsError) -> Credentials
    /// Held during a request: concurrent callers wait for the same answer.
    private let state = Lock(State())

    /// Sends no request yet.
    public convenience init(_ environment: Environment, time: TimeSource = .system) {
        self.init(environment, time: time, fetch: Self.find)
    }

    init(
        _ environment: Environment, time: TimeSource,
        fetch: @escaping @Sendable (Environment) throws(CredentialsError) -> Credentials
    ) {
        self.environment = environment
        self.time = time
        self.fetch = fetch
    }

    /// Returns credentials that are valid now.
    public func current() throws(CredentialsError) -> Credentials {
        try state.withLock { (state) throws(CredentialsError) in
            let now = time.utcSeconds()
            let held = state.credentials.flatMap { $0.expiry ?? .max > now ? $0 : nil }
            if let held {
                let mayWait = state.attemptedAt.map { 0..<Self.retryIntervalSeconds ~= now - $0 } ?? false
                if held.expiry ?? .max > now + Self.refreshMarginSeconds || mayWait { return held }
            }
            state.attemptedAt = now
            do throws(CredentialsError) {
                let fetched = try fetch(environment)
                guard fetched.expiry ?? .max > now else { throw .expired(fetched.source) }
                state.credentials = fetched
                return fetched
            } catch {
                guard let held else { throw error }
                return held
            }
        }
    }

    /// Makes the next call request new credentials, unless it has happened since: AWS no longer accepts these.
    func discard(_ credentials: Credentials) {
        state.withLock { state in
            if state.credentials == credentials { state.credentials = nil }
        }
    }

    private static func find(_ environment: Environment) throws(CredentialsError) -> Credentials {
        switch (environment.accessKeyID, environment.secretAccessKey) {
        case (let id?, let secret?):
            return try Credentials(
                source: .environment, accessKeyID: id, secretAccessKey: secret, sessionToken: environment.sessionToken)
        case (nil, nil): break
        case (_?, nil), (nil, _?): throw .incompleteEnvironment
        }
        if let container = try ContainerCredentials(environment) { return try container.fetch() }
        guard let metadata = InstanceMetadata(environment) else { throw .none }
        return try fromRole(of: metadata)
    }

    /// EC2 User Guide, "Retrieve security credentials from instance metadata".
    private static func fromRole(of metadata: InstanceMetadata) throws(CredentialsError) -> Credentials {
        let path = "iam/security-credentials/"
        let document: String
        do throws(MetadataError) {
            let session = try metadata.open()
            let role = try session.read(path)?.split(separator: "\n").first.map(String.init)
            guard let role else { throw .noRole }
            // The characters of role names (IAM API reference, CreateRole); any other could change the path.
            guard role.utf8.allSatisfy(isRoleByte) else { throw .malformed }
            guard let text = try session.read(path + role) else { throw .noRole }
            document = text
        } catch { throw .instance(error) }
        return try CredentialsDocument.read(Array(document.utf8), from: .instance)
    }

    private static func isRoleByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "+=,.@_-".utf8.contains(byte)
        }
    }
}
