/** Our own DICOMweb, reached with the session's cookie. */
export const dataSource = {
  namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
  sourceName: 'ennead',
  configuration: {
    friendlyName: 'Ennead',
    name: 'ennead',
    qidoRoot: '/dicom-web',
    wadoRoot: '/dicom-web',
    wadoUriRoot: '/dicom-web',
    qidoSupportsIncludeField: true,
    supportsReject: false,
    supportsFuzzyMatching: false,
    supportsWildcard: true,
    imageRendering: 'wadors',
    thumbnailRendering: 'wadors',
    enableStudyLazyLoad: true,
    omitQuotationForMultipartRequest: true,
    singlepart: 'bulkdata,pdf,video',
    bulkDataURI: { enabled: true },
  },
};
