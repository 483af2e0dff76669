/// Signs requests: an access key, and a session token if the credentials are temporary.
public struct Credentials: Sendable, Equatable {
    /// Origin of credentials.
    public enum Source: Sendable, Equatable {
        /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
        case environment
        /// The endpoint that ECS and EKS provide to a container.
        case container
        /// The role of the EC2 instance, by IMDSv2.
        case instance
    }

    public let source: Source
    /// Identifies the key; part of every signed request.
    public let accessKeyID: String
    public let secretAccessKey: Redacted
    public let sessionToken: Redacted?
    /// Seconds since 1970-01-01T00:00:00Z; nil when they do not expire.
    public let expiry: Int64?

    /// Refuses values that no signed request could contain.
    init(
        source: Source, accessKeyID: String, secretAccessKey: Redacted, sessionToken: Redacted? = nil,
        expiry: Int64? = nil
    ) throws(CredentialsError) {
        // The id is part of the Authorization field, where spaces, commas and slashes are separators (SigV4,
        // `Credential=`).
        let isID: (UInt8) -> Bool = { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
            default: false
            }
        }
        guard !accessKeyID.isEmpty, accessKeyID.utf8.allSatisfy(isID) else { throw .unusable(source, .accessKeyID) }
        let isVisible: (UInt8) -> Bool = { 0x21...0x7E ~= $0 && $0 != 0x3A }
        guard !secretAccessKey.exposed.isEmpty, secretAccessKey.exposed.utf8.allSatisfy(isVisible) else {
            throw .unusable(source, .secretAccessKey)
        }
        // An empty token counts as none; libcurl would sign it and not send it.
        let token = sessionToken?.exposed.isEmpty == true ? nil : sessionToken
        guard token?.exposed.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) ?? true else {
            throw .unusable(source, .sessionToken)
        }
        self.source = source
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = token
        self.expiry = expiry
    }
}

extension Credentials.Source: CustomStringConvertible {
    /// A description for people.
    public var description: String {
        switch self {
        case .environment: "environment"
        case .container: "container endpoint"
        case .instance: "instance role (IMDSv2)"
        }
    }
}

/// Why there are no credentials.
public enum CredentialsError: Error, Equatable, Sendable {
    /// The invalid part of credentials.
    public enum Part: Sendable, Equatable {
        case accessKeyID, secretAccessKey, sessionToken, expiry
    }

    /// Neither variables nor a container endpoint are set, and IMDS is switched off.
    case none
    /// One of `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` without the other.
    case incompleteEnvironment
    /// The value is missing, or has characters that are invalid in it.
    case unusable(Credentials.Source, Part)
    /// The endpoint returned credentials that have expired.
    case expired(Credentials.Source)
    /// The endpoint refused, with AWS's code and message.
    case refused(Credentials.Source, code: String, message: String)
    /// The answer is not the documented JSON.
    case malformed(Credentials.Source)
    /// The URI is plain http to a host that is neither this machine nor the container agent's address. The value is the
    /// host.
    case unsafeContainerURI(host: String)
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` cannot be read, or does not contain a token.
    case unreadableTokenFile
    case containerStatus(Int)
    case container(TransferError)
    case instance(MetadataError)
}

extension CredentialsError: CustomStringConvertible {
    /// One line for a log.
    public var description: String {
        switch self {
        case .none: "no AWS credentials: no variables, no container endpoint, and the metadata service is switched off"
        case .incompleteEnvironment: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together"
        case .unusable(let source, let part): "the \(part.name) of the \(source) is missing or malformed"
        case .expired(let source): "the credentials of the \(source) have expired"
        case .refused(let source, let code, let message):
            "the \(source) has no credentials: \(message.isEmpty ? code : "\(code): \(message)")"
        case .malformed(let source): "the response of the \(source) was not understood"
        case .unsafeContainerURI(let host):
            "AWS_CONTAINER_CREDENTIALS_FULL_URI uses plain http for \(host), which is neither this machine nor the agent"
        case .unreadableTokenFile: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read or contains no token"
        case .containerStatus(let status): "the container's credentials endpoint answered with status \(status)"
        case .container(let error): "the container's credentials endpoint: \(error)"
        case .instance(let error): "no AWS credentials in variables or from a container, and \(error)"
        }
    }

    /// Whether the same request may succeed a moment later.
    var isTransient: Bool {
        switch self {
        case .container(let error): error.isTransient
        case .containerStatus(let status): status == 429 || status >= 500
        case .instance(let error): error.isTransient
        case .none, .incompleteEnvironment, .unusable, .expired, .refused, .malformed, .unsafeContainerURI,
            .unreadableTokenFile:
            false
        }
    }
}

extension CredentialsError.Part {
    fileprivate var name: String {
        switch self {
        case .accessKeyID: "access key id"
        case .secretAccessKey: "secret access key"
        case .sessionToken: "session token"
        case .expiry: "expiry"
        }
    }
}
