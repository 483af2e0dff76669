/// Why there is no secret. Never contains a part of the secret or of a key.
public enum SecretError: Error, Equatable, Sendable {
    /// The identity may not read the secret, or not use its KMS key. The value is AWS's message, which names both.
    case accessDenied(String)
    /// The region has no secret of this name, or it has no current version.
    case notFound(region: String)
    /// Secrets Manager cannot decrypt the secret with its KMS key. The value is AWS's message.
    case decryptionFailed(String)
    /// The secret is about to be deleted, or its id is malformed. The value is AWS's message.
    case invalidRequest(String)
    /// AWS does not know the access key, or refuses the signature.
    case credentialsRefused(code: String)
    /// The session token has expired.
    case credentialsExpired
    /// Too many requests for the account or the secret.
    case throttled
    /// Status 5xx.
    case unavailable(status: Int)
    /// Any other refusal: its status, and AWS's code for it, possibly empty.
    case refused(status: Int, code: String)
    /// The answer is not the documented JSON.
    case malformedAnswer
    /// The secret was read, and is not a database secret.
    case unusable(DatabaseSecret.Problem)
    /// `DB_SECRET_ID` begins like an ARN and is not the ARN of a secret.
    case invalidARN
    /// `AWS_REGION` or the ARN's region is not a region name.
    case invalidRegion
    /// Neither the ARN, a variable nor the metadata service names the region. The value is the metadata service's
    /// error, nil when it is switched off.
    case noRegion(MetadataError?)
    case credentials(CredentialsError)
    case transfer(TransferError)
}

extension SecretError {
    /// Whether the same request may succeed a moment later.
    public var isTransient: Bool {
        switch self {
        case .throttled, .unavailable, .credentialsExpired: true
        case .credentials(let error): error.isTransient
        case .transfer(let error): error.isTransient
        case .accessDenied, .notFound, .decryptionFailed, .invalidRequest, .credentialsRefused, .refused,
            .malformedAnswer, .unusable, .invalidARN, .invalidRegion, .noRegion:
            false
        }
    }

    /// Maps a refusal to its meaning (Secrets Manager API reference, GetSecretValue and "Common Errors").
    ///
    /// - Parameters:
    ///   - code: without the namespace before `#`.
    ///   - message: AWS's message; used where it says more than the code and never quotes the request.
    init(status: Int, code: String, message: String, region: String) {
        switch code {
        case "AccessDeniedException", "AccessDenied": self = .accessDenied(message)
        case "ResourceNotFoundException": self = .notFound(region: region)
        case "DecryptionFailure", "DecryptionFailureException": self = .decryptionFailed(message)
        case "InvalidRequestException", "InvalidParameterException", "ValidationException", "ValidationError":
            self = .invalidRequest(message)
        case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "InvalidSignatureException",
            "SignatureDoesNotMatch", "IncompleteSignature", "IncompleteSignatureException", "RequestExpired",
            "MissingAuthenticationToken", "MissingAuthenticationTokenException", "AuthFailure", "OptInRequired":
            self = .credentialsRefused(code: code)
        case "ExpiredToken", "ExpiredTokenException": self = .credentialsExpired
        case "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "RequestThrottled",
            "TooManyRequestsException", "LimitExceededException":
            self = .throttled
        default:
            switch status {
            case 401 where code.isEmpty, 403 where code.isEmpty:
                // Not Secrets Manager's own answer: it comes from a proxy or a stand-in.
                self = .accessDenied("status \(status) without a known error code")
            case 429: self = .throttled
            case 500...: self = .unavailable(status: status)
            default: self = .refused(status: status, code: code)
            }
        }
    }
}

extension SecretError: CustomStringConvertible {
    /// One line for a log.
    public var description: String {
        switch self {
        case .accessDenied(let message): "access denied: \(message)"
        case .notFound(let region): "there is no such secret in \(region), or it has no current version"
        case .decryptionFailed(let message): "the secret cannot be decrypted: \(message)"
        case .invalidRequest(let message): "Secrets Manager refuses the request: \(message)"
        case .credentialsRefused(let code):
            "AWS refuses the credentials (\(code)): check the access key and this machine's clock"
        case .credentialsExpired: "the AWS credentials have expired"
        case .throttled: "Secrets Manager is throttling"
        case .unavailable(let status): "Secrets Manager answered with status \(status)"
        case .refused(let status, ""): "Secrets Manager answered with status \(status)"
        case .refused(let status, let code): "Secrets Manager answered with status \(status), \(code)"
        case .malformedAnswer: "the response of Secrets Manager was not understood"
        case .unusable(let problem): "the secret \(problem)"
        case .invalidARN: "DB_SECRET_ID begins with arn: but is not the ARN of a secret"
        case .invalidRegion: "the AWS region contains characters other than letters, digits and hyphens"
        case .noRegion(nil): "the AWS region is not set: AWS_REGION names it"
        case .noRegion(let error?): "the AWS region is not set (AWS_REGION names it), and \(error)"
        case .credentials(let error): "\(error)"
        case .transfer(let error): "\(error)"
        }
    }
}
