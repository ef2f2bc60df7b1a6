/** German texts, and an example of how to translate the component: `inbox.texts = german`. */

import type { Texts } from "../texts.js";

export const german: Texts = {
  title: "Benachrichtigungen",
  unread: { one: "Benachrichtigungen, {count} ungelesen", other: "Benachrichtigungen, {count} ungelesen" },
  unreadShort: { one: "{count} ungelesen", other: "{count} ungelesen" },
  close: "Schließen",
  markRead: "Als gelesen markieren",
  markReadOf: "Als gelesen markieren: {title}",
  markAllRead: "Alle als gelesen markieren",
  isUnread: "Ungelesen",
  empty: "Noch keine Benachrichtigungen",
  emptyHint: "Neue erscheinen hier, sobald sie gesendet werden.",
  loading: "Wird geladen …",
  connecting: "Verbindung wird wiederhergestellt …",
  offline: "Sie sind offline. Neue Benachrichtigungen erscheinen, sobald die Verbindung wieder steht.",
  failed: "Die Benachrichtigungen konnten nicht geladen werden.",
  markFailed: "Das hat nicht funktioniert. Versuchen Sie es noch einmal.",
  retry: "Noch einmal versuchen",
  older: "Ältere anzeigen",
  showAll: "Alles anzeigen",
  arrived: "Neue Benachrichtigung: {title}",
  arrivedMany: { one: "{count} neue Benachrichtigung", other: "{count} neue Benachrichtigungen" },
};
