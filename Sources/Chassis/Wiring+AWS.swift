import AWS

extension AWS.Environment {
    init(_ aws: Configuration.AWS) {
        self.init()
        region = aws.region
        endpointURL = aws.endpointURL
        secretsManagerEndpointURL = aws.secretsManagerEndpointURL
        certificateBundle = aws.certificateBundle
        accessKeyID = aws.accessKeyID
        secretAccessKey = aws.secretAccessKey.map(Redacted.init)
        sessionToken = aws.sessionToken.map(Redacted.init)
        containerCredentialsRelativeURI = aws.containerCredentialsRelativeURI.map(Redacted.init)
        containerCredentialsFullURI = aws.containerCredentialsFullURI
        containerAuthorizationToken = aws.containerAuthorizationToken.map(Redacted.init)
        containerAuthorizationTokenFile = aws.containerAuthorizationTokenFile
        metadataServiceEndpoint = aws.metadataServiceEndpoint
        isMetadataServiceDisabled = aws.isMetadataServiceDisabled
        ecsMetadataURI = aws.ecsMetadataURI
    }
}

extension Redacted {
    /// The same text in a lower target's type.
    init(_ secret: Secret) {
        self.init(secret.exposed)
    }
}
