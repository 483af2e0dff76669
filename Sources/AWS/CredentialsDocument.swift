import FoundationEssentials

/// The JSON document with credentials that ECS, EKS and IMDSv2 return.
struct CredentialsDocument: Decodable {
    /// IMDSv2 only: any value but `Success` means that the role has no credentials.
    private let code: String?
    /// The reason, when `code` is not `Success`.
    private let message: String?
    private let accessKeyID: String?
    private let secretAccessKey: String?
    private let token: String?
    private let expiration: String?

    private enum CodingKeys: String, CodingKey {
        case code = "Code"
        case message = "Message"
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case token = "Token"
        case expiration = "Expiration"
    }

    static func read(_ json: [UInt8], from source: Credentials.Source) throws(CredentialsError) -> Credentials {
        guard let document = try? JSONDecoder().decode(Self.self, from: Data(json)) else { throw .malformed(source) }
        if let code = document.code, code != "Success" {
            throw .refused(source, code: printable(code), message: printable(document.message ?? ""))
        }
        var expiry: Int64?
        if let text = document.expiration {
            guard let date = try? Date(text, strategy: .iso8601) else { throw .unusable(source, .expiry) }
            expiry = Int64(date.timeIntervalSince1970)
        }
        return try Credentials(
            source: source, accessKeyID: document.accessKeyID ?? "",
            secretAccessKey: Redacted(document.secretAccessKey ?? ""), sessionToken: document.token.map(Redacted.init),
            expiry: expiry)
    }
}
