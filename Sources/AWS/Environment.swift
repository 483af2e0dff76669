/// The settings that the AWS SDKs read from environment variables, each with its variable's name; nil when unset.
public struct Environment: Sendable {
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    public var region: String?
    /// `AWS_ENDPOINT_URL`: every service's endpoint.
    public var endpointURL: String?
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER`; takes precedence over `endpointURL`.
    public var secretsManagerEndpointURL: String?
    /// `AWS_CA_BUNDLE`: a file of trusted certificates, in place of the system's.
    public var certificateBundle: String?
    /// `AWS_ACCESS_KEY_ID`
    public var accessKeyID: String?
    /// `AWS_SECRET_ACCESS_KEY`
    public var secretAccessKey: Redacted?
    /// `AWS_SESSION_TOKEN`
    public var sessionToken: Redacted?
    /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`: a path on 169.254.170.2.
    public var containerCredentialsRelativeURI: Redacted?
    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`
    public var containerCredentialsFullURI: String?
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN`
    public var containerAuthorizationToken: Redacted?
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`; takes precedence over the token, because the file is renewed.
    public var containerAuthorizationTokenFile: String?
    /// `AWS_EC2_METADATA_SERVICE_ENDPOINT`
    public var metadataServiceEndpoint: String?
    /// `AWS_EC2_METADATA_DISABLED`
    public var isMetadataServiceDisabled = false
    /// `ECS_CONTAINER_METADATA_URI_V4`
    public var ecsMetadataURI: String?

    /// All settings are unset.
    public init() {}
}
